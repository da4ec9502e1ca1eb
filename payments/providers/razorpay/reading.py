"""Razorpay's objects in our vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from payments.providers.errors import ProviderError, WebhookRejected
from payments.providers.states import DisputeState, PaymentState, ProviderEvent, RefundState, Said
from payments.providers.values import minor_of, moment_of
from payments.providers.webhook import text_of

_SAID = {
    "created": Said.PENDING,
    "authorized": Said.AUTHORIZED,
    "captured": Said.SUCCEEDED,
    "refunded": Said.SUCCEEDED,  # it was captured, and its refunds say the rest
    "failed": Said.FAILED,
}
_REFUND = {"pending": Said.PENDING, "processed": Said.SUCCEEDED, "failed": Said.FAILED}
_DISPUTE = {"won": Said.WON, "closed": Said.WON, "lost": Said.LOST}
_WEIGHT = {"captured": 3, "refunded": 3, "authorized": 2, "created": 1, "failed": 0}
_PARTS = ("payment", "order", "refund", "dispute")


def that_counts(payments: Sequence[Mapping[str, Any]], known: str) -> Mapping[str, Any] | None:
    """An order may see several tries: the captured one, else the authorised one, else the last.

    The one we have settled (``known``) stays the one that counts.
    """
    for each in payments:
        if known and each.get("id") == known and _weight(each) >= _WEIGHT["authorized"]:
            return each
    return max(payments, key=lambda each: (_weight(each), each.get("created_at") or 0), default=None)


def _weight(payment: Mapping[str, Any]) -> int:
    return _WEIGHT.get(_status(payment), 0)


def _status(payment: Mapping[str, Any]) -> str:
    """Authorised money that Razorpay sent back by itself is called refunded, too; it was never ours."""
    status = text_of(payment.get("status"))
    return "failed" if status == "refunded" and payment.get("captured") is not True else status


def payment_state(
    order: Mapping[str, Any], payment: Mapping[str, Any] | None, live: bool,
    refunds: Sequence[Mapping[str, Any]] = (), disputes: Sequence[Mapping[str, Any]] = (),
) -> PaymentState:  # fmt: skip
    """Nothing of Razorpay's names the mode: ``live`` is that of the key that read it."""
    try:
        source = payment if payment is not None else order
        said = _SAID.get(_status(payment), Said.PENDING) if payment is not None else Said.PENDING
        return PaymentState(
            said=said,
            external_payment_id=text(order, "id"),
            charge_id=text(payment, "id") if payment is not None and said != Said.FAILED else "",
            reference=text_of(order.get("receipt")),
            amount_minor=minor_of(source["amount"]),
            currency=str(source["currency"]).upper(),
            live=live,
            method=text_of(payment.get("method")) if payment is not None else "",
            detail=text_of(payment.get("error_description"))[:255] if payment is not None else "",
            captured_at=_captured_at(payment) if said == Said.SUCCEEDED and payment is not None else None,
            refunds=tuple(refund_state(each) for each in refunds),
            disputes=tuple(_dispute_state(each) for each in disputes),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderError(f"Razorpay's answer is not an order: {error}.") from error


def _captured_at(payment: Mapping[str, Any]) -> datetime | None:
    """Razorpay tells when a payment was made; the capture's own time is there only with some accounts."""
    for name in ("captured_at", "created_at"):
        if moment := moment_of(payment.get(name)):
            return moment
    return None


def refund_state(refund: Mapping[str, Any]) -> RefundState:
    notes = refund.get("notes")
    try:
        amount = minor_of(refund.get("amount"))
    except ValueError as error:
        raise ProviderError(f"Razorpay's answer is not a refund: {error}.") from error
    reference = text_of(notes.get("reference")) if isinstance(notes, Mapping) else ""
    said = _REFUND.get(text_of(refund.get("status")), Said.PENDING)
    return RefundState(text(refund, "id"), reference or text_of(refund.get("receipt")), amount, said)


def _dispute_state(dispute: Mapping[str, Any]) -> DisputeState:
    said = _DISPUTE.get(text_of(dispute.get("status")), Said.OPEN)
    currency, reason = text(dispute, "currency").upper(), text_of(dispute.get("reason_code"))
    return DisputeState(text(dispute, "id"), minor_of(dispute["amount"]), currency, said, reason)


def text(row: Mapping[str, Any], name: str) -> str:
    found = row.get(name)
    if not isinstance(found, str) or not found:
        raise ProviderError(f"Razorpay's answer has no {name}.")
    return found


def is_fresh(payload: Mapping[str, Any], now: datetime, age: timedelta) -> bool:
    """By the body's own ``created_at``, where it has one; Razorpay repeats calls for a day."""
    created = payload.get("created_at")
    return type(created) is not int or abs(int(now.timestamp()) - created) <= age.total_seconds()


def event(event_id: str, payload: Mapping[str, Any]) -> ProviderEvent:
    """``payload.payment.entity`` and its likes; refunds and disputes name their payment."""
    kind, parts = text_of(payload.get("event")), payload.get("payload")
    if not kind or not isinstance(parts, Mapping):
        raise WebhookRejected("the body is not an event of this provider")
    payment, order, refund, dispute = (_entity(parts, name) for name in _PARTS)
    order_id = text_of(order.get("id")) or text_of(payment.get("order_id"))
    payment_id = text_of(refund.get("payment_id")) or text_of(dispute.get("payment_id")) or text_of(payment.get("id"))
    ours = kind.startswith(("payment.", "order.", "refund."))
    return ProviderEvent(
        event_id, kind, order_id, payment_id, text_of(order.get("receipt")), concerns=ours, payload=payload
    )


def _entity(parts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = parts.get(name)
    entity = part.get("entity") if isinstance(part, Mapping) else None
    return entity if isinstance(entity, Mapping) else {}
