"""The only writer of payment state: what a verified event may do to a payment and its receipt."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from billing.models import Receipt, ReceiptStatus
from billing.services.receipts import mark_paid
from core.context import Actor
from core.money import from_minor
from core.states import transition
from payments import metrics
from payments.models import OPEN_STATUSES, PAYMENT_TRANSITIONS, EventOutcome, Payment, PaymentStatus
from payments.providers.base import PaymentProvider, ProviderEvent, Said

_STATUS = {
    Said.SUCCEEDED: PaymentStatus.SUCCEEDED,
    Said.AUTHORIZED: PaymentStatus.AUTHORIZED,
    Said.FAILED: PaymentStatus.FAILED,
    Said.CANCELED: PaymentStatus.CANCELED,
}


def find_payment(provider: str, event: ProviderEvent) -> Payment | None:
    """By the provider's id; by our own reference when the call overtook our record of that id."""
    mine = Payment.objects.filter(provider=provider)
    by_id = mine.filter(external_payment_id=event.external_payment_id).first()
    return by_id or mine.filter(external_payment_id="", idempotency_key=event.reference).first()


def settle(*, provider: PaymentProvider, payment: Payment, event: ProviderEvent) -> tuple[EventOutcome, str]:
    """Apply ``event`` to ``payment`` in the caller's transaction. Returns the outcome and a word why.

    A receipt becomes paid here and only here by online money: with payment, receipt
    and audit in one transaction, once, and only when everything matches our row.
    Money that fits nothing is never dropped: the payment waits for review.
    """
    receipt = Receipt.objects.select_for_update().get(pk=payment.receipt_id)
    payment = Payment.objects.select_for_update().get(pk=payment.pk)
    if event.said == Said.NOTHING:
        return EventOutcome.IGNORED, "an event of no interest"
    actor = Actor(f"provider:{provider.name}")
    if event.said != Said.SUCCEEDED:
        return _close_or_note(actor, payment, _STATUS[event.said])
    fault = _fault(provider, payment, event)
    if payment.status == PaymentStatus.SUCCEEDED:  # the same fact again, or other money under a settled payment's id
        return (EventOutcome.MISMATCH, fault) if fault else (EventOutcome.PROCESSED, "already succeeded")
    if fault:
        _review(actor, payment, fault)
        return EventOutcome.MISMATCH, fault
    if receipt.status != ReceiptStatus.PENDING:
        fault = f"money arrived for a receipt that is {receipt.status}"
        _review(actor, payment, fault)
        return EventOutcome.MISMATCH, fault
    return _pay(actor, payment, receipt, event)


def _pay(actor: Actor, payment: Payment, receipt: Receipt, event: ProviderEvent) -> tuple[EventOutcome, str]:
    now = timezone.now()
    before = payment.status
    transition(
        payment, PaymentStatus.SUCCEEDED, table=PAYMENT_TRANSITIONS, paid_at=now, updated_at=now, review_reason="",
        external_payment_id=event.external_payment_id,
    )  # fmt: skip
    mark_paid(actor=actor, receipt=receipt, method=payment.provider, tx_ref=event.external_payment_id, paid_at=now)
    record_move(actor, payment, before, receipt=receipt.pk, amount=payment.amount, currency=payment.currency)
    return EventOutcome.PROCESSED, "paid"


def _fault(provider: PaymentProvider, payment: Payment, event: ProviderEvent) -> str:
    """Why the event's money is not the money we asked for; empty when it is."""
    checks = (
        ("amount", f"{payment.amount:f}", f"{from_minor(event.amount_minor, payment.currency):f}"),
        ("currency", payment.currency.upper(), event.currency.upper()),
        ("reference", payment.idempotency_key, event.reference),
        ("mode", provider.live, event.live),
    )
    return "; ".join(f"{name}: expected {ours}, got {theirs}" for name, ours, theirs in checks if ours != theirs)[:255]


def _close_or_note(actor: Actor, payment: Payment, status: PaymentStatus) -> tuple[EventOutcome, str]:
    if payment.status not in OPEN_STATUSES:
        return EventOutcome.IGNORED, f"the payment is {payment.status} already"
    before = payment.status
    if transition(payment, status, table=PAYMENT_TRANSITIONS, updated_at=timezone.now()):
        record_move(actor, payment, before)
    return EventOutcome.PROCESSED, status.value


def _review(actor: Actor, payment: Payment, reason: str) -> None:
    before = payment.status
    moved = transition(
        payment, PaymentStatus.NEEDS_REVIEW, table=PAYMENT_TRANSITIONS, review_reason=reason,
        updated_at=timezone.now(),
    )  # fmt: skip
    if moved:
        record_move(actor, payment, before, reason=reason)


def record_move(actor: Actor, payment: Payment, before: str, **extra: object) -> None:
    """Audit and count that ``payment`` has left ``before``; last in its transaction."""
    audit.record(
        actor=actor, action=f"payment_{payment.status}", target=str(payment.pk), entity=payment,
        changes={"status": [before, payment.status]}, extra=extra,
    )  # fmt: skip
    provider, status = payment.provider, payment.status
    transaction.on_commit(lambda: metrics.PAYMENTS.labels(provider, status).inc())
