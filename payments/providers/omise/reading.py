"""Omise's objects in our vocabulary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from payments.providers.errors import ProviderError, WebhookRejected
from payments.providers.states import DisputeState, PaymentState, ProviderEvent, RefundState, Said
from payments.providers.values import minor_of
from payments.providers.webhook import text_of

_SAID = {
    "pending": Said.PENDING,
    "successful": Said.SUCCEEDED,
    "failed": Said.FAILED,
    "expired": Said.CANCELED,
    "reversed": Said.CANCELED,
}
_REFUND = {"pending": Said.PENDING, "failed": Said.FAILED, "canceled": Said.CANCELED}
_DISPUTE = {"won": Said.WON, "lost": Said.LOST}
_IN_DESCRIPTION = re.compile(r"\[([0-9a-f]{32})\]\s*\Z")


def payment_state(charge: Mapping[str, Any]) -> PaymentState:
    """A charge, with the refunds and the dispute that stand inside it."""
    try:
        said = _SAID.get(charge["status"], Said.PENDING)
        amount, live = charge["amount"], charge["livemode"]
        if said == Said.SUCCEEDED and type(charge.get("captured_amount")) is int:
            amount = charge["captured_amount"] or amount
        amount = minor_of(amount)
        if said == Said.PENDING and charge.get("authorized") and not charge.get("paid"):
            said = Said.AUTHORIZED
        if type(live) is not bool:
            raise TypeError
        refunds = (charge.get("refunds") or {}).get("data") or []
        dispute = charge.get("dispute")
        return PaymentState(
            said=said,
            external_payment_id=text_of(charge.get("link")) or charge["id"],
            charge_id=charge["id"],
            reference=reference_of(charge),
            amount_minor=amount,
            currency=str(charge["currency"]).upper(),
            live=live,
            method=_method(charge),
            detail=text_of(charge.get("failure_message"))[:255],
            captured_at=moment(charge.get("paid_at")) if said == Said.SUCCEEDED else None,
            refunds=tuple(refund_state(each) for each in refunds),
            disputes=(_dispute_state(dispute),) if isinstance(dispute, Mapping) else (),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProviderError(f"Omise's answer is not a charge: {error}.") from error


def link_state(link: Mapping[str, Any], charge: Mapping[str, Any] | None) -> PaymentState:
    """A link is open until a charge of it succeeds; one that failed may be followed by another."""
    reference = reference_of(link)
    if charge is not None:
        found = payment_state(charge)
        if found.said in {Said.SUCCEEDED, Said.AUTHORIZED} or found.captured_at:
            return _of_link(found, link, reference)
    try:
        said = Said.CANCELED if link.get("deleted") else Said.PENDING
        amount, live = minor_of(link["amount"]), link["livemode"]
        if type(live) is not bool:
            raise TypeError
        return PaymentState(said, link["id"], "", reference, amount, str(link["currency"]).upper(), live, "card")
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderError(f"Omise's answer is not a link: {error}.") from error


def _of_link(found: PaymentState, link: Mapping[str, Any], reference: str) -> PaymentState:
    values = {name: getattr(found, name) for name in PaymentState.__slots__}
    return PaymentState(**{**values, "external_payment_id": link["id"], "reference": reference})


def reference_of(row: Mapping[str, Any]) -> str:
    """Our reference: in a charge's metadata, or at the end of the description of a link and of its charges."""
    metadata = row.get("metadata")
    found = text_of(metadata.get("reference")) if isinstance(metadata, Mapping) else ""
    match = _IN_DESCRIPTION.search(text_of(row.get("description")))
    return found or (match[1] if match else "")


def _method(charge: Mapping[str, Any]) -> str:
    source = charge.get("source")
    return text_of(source.get("type")) if isinstance(source, Mapping) else "card"


def qr_address(charge: Mapping[str, Any]) -> str:
    """Where the QR code's picture is."""
    try:
        return str(charge["source"]["scannable_code"]["image"]["download_uri"])
    except (KeyError, TypeError) as error:
        raise ProviderError("Omise's answer has no QR code.") from error


def refund_state(refund: Mapping[str, Any]) -> RefundState:
    """Older versions of the API name no status: there a refund that exists is done."""
    metadata = refund.get("metadata")
    reference = text_of(metadata.get("reference")) if isinstance(metadata, Mapping) else ""
    try:
        amount = minor_of(refund.get("amount"))
    except ValueError as error:
        raise ProviderError(f"Omise's answer is not a refund: {error}.") from error
    if not text_of(refund.get("id")):
        raise ProviderError("Omise's answer is not a refund.")
    return RefundState(refund["id"], reference, amount, _REFUND.get(text_of(refund.get("status")), Said.SUCCEEDED))


def _dispute_state(dispute: Mapping[str, Any]) -> DisputeState:
    said = _DISPUTE.get(text_of(dispute.get("status")), Said.OPEN)
    reason = text_of(dispute.get("reason_message")) or text_of(dispute.get("reason_code"))
    amount, currency = minor_of(dispute["amount"]), str(dispute["currency"]).upper()
    return DisputeState(dispute["id"], amount, currency, said, reason[:255])


def moment(value: Any) -> datetime | None:
    """ISO 8601 as Omise writes it."""
    if not isinstance(value, str):
        return None
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def event_id(payload: Mapping[str, Any]) -> str:
    found = text_of(payload.get("id"))
    if not found or payload.get("object") != "event":
        raise WebhookRejected("the body is not an event of this provider")
    return found


def event(event_id: str, payload: Mapping[str, Any]) -> ProviderEvent:
    """Events of charges, links, refunds and disputes; the last two name their charge."""
    kind, data = text_of(payload.get("key")), payload.get("data")
    if not kind or not isinstance(data, Mapping):
        raise WebhookRejected("the body is not an event of this provider")
    thing, named = text_of(data.get("object")), text_of(data.get("id"))
    charge = named if thing == "charge" else _charge_of(data)
    link = named if thing == "link" else text_of(data.get("link"))
    reference = reference_of(data) if thing in {"charge", "link"} else ""
    ours = thing in {"charge", "link", "refund", "dispute"}
    return ProviderEvent(event_id, kind, link or charge, charge, reference, concerns=ours, payload=payload)


def _charge_of(data: Mapping[str, Any]) -> str:
    charge = data.get("charge")
    return text_of(charge) or (text_of(charge.get("id")) if isinstance(charge, Mapping) else "")
