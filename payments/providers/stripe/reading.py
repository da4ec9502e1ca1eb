"""Stripe's objects in our vocabulary. Sessions come with their payment intent and charge expanded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from payments.providers.base import Checkout
from payments.providers.errors import ProviderError, WebhookRejected
from payments.providers.states import DisputeState, PaymentState, ProviderEvent, RefundState, Said
from payments.providers.values import minor_of, moment_of
from payments.providers.webhook import text_of

_REFUND = {
    "pending": Said.PENDING,
    "requires_action": Said.PENDING,  # Stripe asks the payer where to send it
    "succeeded": Said.SUCCEEDED,
    "failed": Said.FAILED,
    "canceled": Said.CANCELED,
}
_DISPUTE = {"won": Said.WON, "warning_closed": Said.WON, "prevented": Said.WON, "lost": Said.LOST}
_FAILED_INTENT = {"requires_payment_method", "canceled"}
_OURS = ("checkout.session.", "payment_intent.", "charge.", "refund.")


def payment_state(
    session: Mapping[str, Any], refunds: Sequence[Mapping[str, Any]], disputes: Sequence[Mapping[str, Any]]
) -> PaymentState:
    """``amount_total`` and ``currency`` are ours; what the payer saw in another currency is not looked at."""
    try:
        amount, live = minor_of(session["amount_total"]), session["livemode"]
        intent = _object(session.get("payment_intent"))
        if type(live) is not bool:
            raise TypeError
        return PaymentState(
            said=_said(session, intent),
            external_payment_id=session["id"],
            charge_id=_id(session.get("payment_intent")),
            reference=text_of(session.get("client_reference_id")),
            amount_minor=_captured(intent, amount),
            currency=str(session["currency"]).upper(),
            live=live,
            method=_method(session, intent),
            detail=_detail(intent),
            captured_at=_captured_at(session, intent),
            refunds=tuple(refund_state(each) for each in refunds),
            disputes=tuple(_dispute_state(each) for each in disputes),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderError(f"Stripe's answer is not a checkout session: {error}.") from error


def checkout(session: Mapping[str, Any]) -> Checkout:
    expires, named = session.get("expires_at"), text_of(session.get("id"))
    if not named:
        raise ProviderError("Stripe's answer is not a checkout session.")
    try:
        return Checkout(named, text_of(session.get("url")), expires_at=moment_of(expires))
    except ValueError as error:
        raise ProviderError("Stripe's answer is not a checkout session.") from error


def _said(session: Mapping[str, Any], intent: Mapping[str, Any]) -> Said:
    """A session that is complete and unpaid waits for a slow method, until its intent needs another one."""
    if session["payment_status"] == "paid":
        return Said.SUCCEEDED
    if session["status"] == "expired":
        return Said.CANCELED
    if session["status"] == "complete" and intent.get("status") in _FAILED_INTENT:
        return Said.FAILED
    return Said.PENDING


def _captured(intent: Mapping[str, Any], asked: int) -> int:
    """What came in, where the intent is known and tells it."""
    received = intent.get("amount_received")
    return minor_of(received) if type(received) is int and received > 0 else asked


def _captured_at(session: Mapping[str, Any], intent: Mapping[str, Any]) -> datetime | None:
    if session["payment_status"] != "paid":
        return None
    charge = _object(intent.get("latest_charge"))
    seconds = charge.get("created") or intent.get("created") or session.get("created")
    return moment_of(seconds)


def _method(session: Mapping[str, Any], intent: Mapping[str, Any]) -> str:
    charge = _object(intent.get("latest_charge"))
    used = text_of(_object(charge.get("payment_method_details")).get("type"))
    offered = session.get("payment_method_types") or []
    return used or (text_of(offered[0]) if len(offered) == 1 else "")


def _detail(intent: Mapping[str, Any]) -> str:
    return text_of(_object(intent.get("last_payment_error")).get("message"))[:255]


def is_refunded(session: Mapping[str, Any]) -> bool:
    """Some of it went back, or is on its way; also where the charge does not tell."""
    charge = _object(_object(session.get("payment_intent")).get("latest_charge"))
    return charge.get("amount_refunded") != 0


def is_disputed(session: Mapping[str, Any]) -> bool:
    return bool(_object(_object(session.get("payment_intent")).get("latest_charge")).get("disputed"))


def refund_state(refund: Mapping[str, Any]) -> RefundState:
    try:
        reference = text_of(_object(refund.get("metadata")).get("reference"))
        amount = minor_of(refund["amount"])
        said = _REFUND.get(refund["status"], Said.PENDING)
        return RefundState(refund["id"], reference, amount, said, text_of(refund.get("failure_reason")))
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderError(f"Stripe's answer is not a refund: {error}.") from error


def _dispute_state(dispute: Mapping[str, Any]) -> DisputeState:
    said = _DISPUTE.get(dispute["status"], Said.OPEN)
    currency, reason = str(dispute["currency"]).upper(), text_of(dispute.get("reason"))
    return DisputeState(dispute["id"], minor_of(dispute["amount"]), currency, said, reason)


def event_id(payload: Mapping[str, Any]) -> str:
    found = text_of(payload.get("id"))
    if not found:
        raise WebhookRejected("the body is not an event of this provider")
    return found


def event(event_id: str, payload: Mapping[str, Any]) -> ProviderEvent:
    """Sessions name themselves; intents, charges, refunds and disputes name the intent."""
    kind, thing = text_of(payload.get("type")), _object(_object(payload.get("data")).get("object"))
    if not kind or not thing:
        raise WebhookRejected("the body is not an event of this provider")
    ours = kind.startswith(_OURS)
    named = text_of(thing.get("id"))
    session = named if thing.get("object") == "checkout.session" else ""
    intent = named if thing.get("object") == "payment_intent" else _id(thing.get("payment_intent"))
    reference = text_of(_object(thing.get("metadata")).get("reference"))
    if thing.get("object") == "refund":
        reference = ""  # that is the refund's own
    return ProviderEvent(event_id, kind, session, intent, reference, concerns=ours, payload=payload)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _id(value: Any) -> str:
    """An id, given as itself or as the object."""
    return text_of(value) or text_of(_object(value).get("id"))
