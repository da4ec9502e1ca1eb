"""Money on its way: attempts to pay, and what providers tell us."""

from payments.models.events import EventOutcome, PaymentEvent
from payments.models.payments import OPEN_STATUSES, PAYMENT_TRANSITIONS, Payment, PaymentStatus

__all__ = ["OPEN_STATUSES", "PAYMENT_TRANSITIONS", "EventOutcome", "Payment", "PaymentEvent", "PaymentStatus"]
