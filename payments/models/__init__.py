"""Money on its way: attempts to pay, money that goes back, and what providers and banks tell us."""

from payments.models.events import EventOutcome, PaymentEvent
from payments.models.payments import (
    OPEN_STATUSES,
    PAYMENT_TRANSITIONS,
    AttemptOutcome,
    Payment,
    PaymentAttempt,
    PaymentStatus,
)
from payments.models.reconciliation import ReconciliationDay
from payments.models.refunds import (
    DISPUTE_TRANSITIONS,
    HOLDING,
    OPEN_REFUNDS,
    REFUND_TRANSITIONS,
    Dispute,
    DisputeStatus,
    Refund,
    RefundOrigin,
    RefundStatus,
)
from payments.models.transfers import (
    LINE_TRANSITIONS,
    TRANSFER_TRANSITIONS,
    BankLine,
    BankTransfer,
    LineStatus,
    TransferStatus,
)

__all__ = [
    "DISPUTE_TRANSITIONS", "HOLDING", "LINE_TRANSITIONS", "OPEN_REFUNDS", "OPEN_STATUSES", "PAYMENT_TRANSITIONS",
    "REFUND_TRANSITIONS", "TRANSFER_TRANSITIONS", "AttemptOutcome", "BankLine", "BankTransfer", "Dispute",
    "DisputeStatus", "EventOutcome", "LineStatus", "Payment", "PaymentAttempt", "PaymentEvent", "PaymentStatus",
    "ReconciliationDay", "Refund", "RefundOrigin", "RefundStatus", "TransferStatus",
]  # fmt: skip
