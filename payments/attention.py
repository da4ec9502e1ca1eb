"""What waits for people, as conditions: the console's lists filter by them, its front page counts them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from billing.models import InvoiceStatus, ReceiptStatus
from payments.models import (
    OPEN_REFUNDS,
    OPEN_STATUSES,
    Dispute,
    DisputeStatus,
    EventOutcome,
    Payment,
    PaymentStatus,
    RefundStatus,
)

RECENT = timedelta(days=30)
WAITING = (EventOutcome.RECEIVED, EventOutcome.FAILED)


def given_up() -> Q:
    """The last attempt of a receipt or invoice that still waits: it failed, and nobody tries again."""
    same = Q(receipt=OuterRef("receipt")) | Q(invoice=OuterRef("invoice"))
    newer = Payment.objects.filter(same, pk__gt=OuterRef("pk"))
    waits = Q(receipt__status=ReceiptStatus.PENDING) | Q(invoice__status=InvoiceStatus.FINALIZED)
    return waits & Q(status=PaymentStatus.FAILED, gave_up_at__isnull=False) & Q(~Exists(newer))


def credits() -> Q:
    """Money held that no bill has used, see ``Payment.credit_cents``; what is in review counts there."""
    lost = Dispute.objects.filter(payment=OuterRef("pk"), status=DisputeStatus.LOST).values("payment")
    gone = F("refunded_cents") + Coalesce(Subquery(lost.values(total=Sum("amount_cents"))), 0)
    bought = Q(status=PaymentStatus.SUCCEEDED) & ~Q(receipt__status=ReceiptStatus.VOID)
    for_receipts = Q(invoice__isnull=True)  # what came too much for an invoice is in its organisation's balance
    unused = Q(captured_cents__gt=gone) & ~bought & ~Q(status=PaymentStatus.NEEDS_REVIEW)
    return bought & for_receipts & Q(captured_cents__gt=F("amount_cents") + gone) | unused


def outcome_unknown() -> Q:
    """The provider was asked for a checkout and nobody knows whether it opened one."""
    return Q(status__in=OPEN_STATUSES, asked_at__isnull=False, external_payment_id="")


def to_send() -> Q:
    """Refunds that finance has to send itself."""
    return Q(by_hand=True, status__in=OPEN_REFUNDS)


def refund_trouble(now: datetime) -> Q:
    """Refunds that fit nothing, and those that failed lately."""
    return Q(status=RefundStatus.NEEDS_REVIEW) | Q(status=RefundStatus.FAILED, settled_at__gte=now - RECENT)


def differs() -> Q:
    """Days whose net sums differ, or that show money which no payment of ours holds."""
    ours = F("our_cents") - F("our_refunded_cents")
    return ~Q(provider_cents=F("provider_refunded_cents") + ours) | ~Q(unknown=[])


def waiting() -> Q:
    """Messages that will be worked on (again) by themselves."""
    return Q(outcome__in=WAITING, next_try_at__isnull=False)


def stuck() -> Q:
    """Messages that did not match, or failed so often that nobody works on them by itself any more."""
    return Q(outcome=EventOutcome.MISMATCH) | Q(outcome=EventOutcome.FAILED, next_try_at__isnull=True)
