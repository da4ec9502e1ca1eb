"""Money that went back: refunds and disputes follow the provider's record, and what was paid follows both.

Called by ``settlement`` and ``refunds`` with the document and its payment locked; never by itself.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from audit import services as audit
from core.context import Actor
from core.money import from_minor
from core.states import transition
from payments import metrics
from payments.announcements import tell_of_refund
from payments.models import (
    DISPUTE_TRANSITIONS,
    HOLDING,
    PAYMENT_TRANSITIONS,
    REFUND_TRANSITIONS,
    Dispute,
    DisputeStatus,
    Payment,
    PaymentStatus,
    Refund,
    RefundOrigin,
    RefundStatus,
)
from payments.payables import Payable
from payments.providers.states import DisputeState, PaymentState, RefundState, Said

_REFUND = {
    Said.PENDING: RefundStatus.PENDING,
    Said.SUCCEEDED: RefundStatus.SUCCEEDED,
    Said.FAILED: RefundStatus.FAILED,
    Said.CANCELED: RefundStatus.CANCELED,
}
_DISPUTE = {Said.OPEN: DisputeStatus.OPEN, Said.WON: DisputeStatus.WON, Said.LOST: DisputeStatus.LOST}
_RANK = {RefundStatus.REQUESTED: 0, RefundStatus.NEEDS_REVIEW: 0, RefundStatus.PENDING: 1}


def follow_returns(*, actor: Actor, payment: Payment, target: Payable, state: PaymentState) -> str:
    """Refunds and disputes of ``state`` into rows. Returns what does not fit, in a few words; else nothing.

    Failures come first, so that what they free can be used by the others.
    """
    if not payment.captured_cents:
        return ""
    rank = {Said.FAILED: 0, Said.CANCELED: 0}
    faults = [
        fault
        for refund in sorted(state.refunds, key=lambda each: rank.get(each.said, 1))
        if (fault := take_refund(actor, payment, refund))
    ]
    for dispute in state.disputes:
        _take_dispute(actor, payment, dispute)
    follow_target(actor, payment, target)
    return "; ".join(faults)[:255]


def take_refund(actor: Actor, payment: Payment, state: RefundState) -> str:
    """One refund of the provider's record: ours by its id or our reference, or one that was made there."""
    row = _row_of(payment, state)
    if row is None:
        row = _found(actor, payment, state)
    elif row.amount_cents != state.amount_minor:
        theirs = from_minor(state.amount_minor, payment.currency)
        return f"refund {row.pk}: asked for {row.amount}, the provider has {theirs}"
    elif not row.external_refund_id:
        Refund.objects.filter(pk=row.pk).update(external_refund_id=state.external_refund_id)
        row.refresh_from_db()
    return move_refund(actor, payment, row, _REFUND.get(state.said, RefundStatus.PENDING), detail=state.detail)


def _row_of(payment: Payment, state: RefundState) -> Refund | None:
    mine = Refund.objects.filter(payment=payment)
    by_id = mine.filter(external_refund_id=state.external_refund_id).first()
    return by_id or mine.filter(external_refund_id="", idempotency_key=state.reference).first()


def _found(actor: Actor, payment: Payment, state: RefundState) -> Refund:
    """A refund that was made at the provider. It holds nothing until ``move_refund`` has looked whether it fits."""
    row = Refund.objects.create(
        payment=payment, amount_cents=state.amount_minor, status=RefundStatus.NEEDS_REVIEW,
        origin=RefundOrigin.PROVIDER, external_refund_id=state.external_refund_id,
        idempotency_key=f"found-{payment.pk}-{state.external_refund_id}"[:64], reason=state.detail,
    )  # fmt: skip
    audit.record(
        actor=actor, action="refund_found", target=str(row.pk), entity=row,
        extra={"payment": payment.pk, "amount": row.amount, "currency": payment.currency},
    )  # fmt: skip
    return row


def move_refund(actor: Actor, payment: Payment, row: Refund, to: RefundStatus, *, detail: str = "") -> str:
    """Move a refund forward and keep the payment's sum right. Returns why it does not fit; else nothing."""
    before = RefundStatus(row.status)
    if before == to or _RANK.get(to, 2) < _RANK.get(before, 2) or to not in REFUND_TRANSITIONS[before]:
        return ""
    if before not in HOLDING and to in HOLDING and held_cents(payment) + row.amount_cents > payment.captured_cents:
        if before != RefundStatus.NEEDS_REVIEW:
            transition(row, RefundStatus.NEEDS_REVIEW, table=REFUND_TRANSITIONS)
        return f"refund {row.external_refund_id or row.pk} would give back more than came in"
    ended = None if to == RefundStatus.PENDING else timezone.now()
    transition(row, to, table=REFUND_TRANSITIONS, settled_at=ended, detail=detail[:255])
    keep_sum(payment)
    if row.status == RefundStatus.SUCCEEDED:
        tell_of_refund(payment, row)
    audit.record(
        actor=actor, action=f"refund_{row.status}", target=str(row.pk), entity=row,
        changes={"status": [before, row.status]},
        extra={"payment": payment.pk, "amount": row.amount, "currency": payment.currency, "detail": detail},
    )  # fmt: skip
    provider, status = payment.provider, row.status
    transaction.on_commit(lambda: metrics.REFUNDS.labels(provider, status).inc())
    return ""


def held_cents(payment: Payment) -> int:
    """What its refunds hold, in minor units: everything that is asked for, under way or done."""
    found = Refund.objects.filter(payment=payment, status__in=HOLDING).aggregate(total=Sum("amount_cents"))
    return found["total"] or 0


def keep_sum(payment: Payment) -> None:
    Payment.objects.filter(pk=payment.pk).update(refunded_cents=held_cents(payment))
    payment.refresh_from_db()


def _take_dispute(actor: Actor, payment: Payment, state: DisputeState) -> None:
    """A dispute in a currency that is not the payment's is taken as one about all of its money."""
    amount = state.amount_minor if state.currency == payment.currency else payment.captured_cents
    row, new = Dispute.objects.get_or_create(
        payment=payment, external_dispute_id=state.external_dispute_id,
        defaults={"amount_cents": amount, "reason": state.reason[:255]},
    )  # fmt: skip
    facts = {"payment": payment.pk, "amount": row.amount, "currency": payment.currency, "reason": row.reason}
    if new:
        audit.record(actor=actor, action="dispute_open", target=str(row.pk), entity=row, extra=facts)
        transaction.on_commit(lambda: metrics.DISPUTES.labels(payment.provider, "open").inc())
    before, to = row.status, _DISPUTE.get(state.said, DisputeStatus.OPEN)
    if to in (before, DisputeStatus.OPEN):
        return
    transition(row, to, table=DISPUTE_TRANSITIONS, closed_at=timezone.now())
    audit.record(
        actor=actor, action=f"dispute_{row.status}", target=str(row.pk), entity=row,
        changes={"status": [before, row.status]}, extra=facts,
    )  # fmt: skip
    transaction.on_commit(lambda: metrics.DISPUTES.labels(payment.provider, to).inc())


def kept_cents(payment: Payment) -> int:
    """What of its money is still ours, in minor units: captured less refunds done and disputes lost."""
    rows: list[QuerySet] = [Dispute.objects.filter(payment=payment, status=DisputeStatus.LOST)]
    if payment.refunded_cents:  # else no refund holds anything
        rows.append(Refund.objects.filter(payment=payment, status=RefundStatus.SUCCEEDED))
    gone = sum(found.aggregate(total=Sum("amount_cents"))["total"] or 0 for found in rows)
    return max(payment.captured_cents - gone, 0)


def follow_target(actor: Actor, payment: Payment, target: Payable) -> None:
    """A paid receipt whose money is all gone is refunded, and paid again when the money comes back; an invoice follows
    every part of it (``billing.services.invoices.returns``).

    Money in review that was all given back is no case any more.
    """
    kept = kept_cents(payment)
    nothing_left = payment.captured_cents > 0 and kept == 0
    if payment.status == PaymentStatus.SUCCEEDED:
        target.follow(actor, payment, kept)
    elif payment.status == PaymentStatus.NEEDS_REVIEW and nothing_left:
        now = timezone.now()
        transition(payment, PaymentStatus.CANCELED, table=PAYMENT_TRANSITIONS, reviewed_at=now, updated_at=now)
        audit.record(
            actor=actor, action="payment_canceled", target=str(payment.pk), entity=payment,
            changes={"status": [PaymentStatus.NEEDS_REVIEW, payment.status]}, extra={"why": "all of it was given back"},
        )  # fmt: skip
