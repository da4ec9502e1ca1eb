"""Omise over its REST API (its library knows no timeout).

PromptPay: a charge with a source; ``external_payment_id`` = ``charge_id`` = ``chrg_…``; the QR code is shown here.
Cards: a payment link, so that card numbers never come near us; ``external_payment_id`` = ``link_…``, ``charge_id`` the
charge that paid it. API version 2019-05-29.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext as _

from core.errors import Misconfigured
from payments.providers.base import Checkout, CheckoutRequest, PaymentProvider, Ref, RefundRequest
from payments.providers.errors import ProviderError, Refused
from payments.providers.limits import Method, limits_of
from payments.providers.omise import reading
from payments.providers.rest import RestClient
from payments.providers.states import PaymentState, ProviderEvent, RefundState
from payments.providers.webhook import json_object, require_fresh, require_signature, secrets_of

VERSION = "2019-05-29"
SIGNATURE, SIGNED_AT = "Omise-Signature", "Omise-Signature-Timestamp"
PAGE = 100
# Minor units. PromptPay's ceiling and floor are the account's own: change them with PAYMENT_LIMITS.
_LIMITS = {"promptpay": {"THB": (2000, 15_000_000)}, "card": {"THB": (2000, 15_000_000)}}
_LARGEST_QR = 200_000


class OmiseProvider(PaymentProvider):
    name: ClassVar[str] = "omise"
    label: ClassVar[str] = "Omise"

    def __init__(self) -> None:
        if not settings.OMISE_SECRET_KEY:
            raise Misconfigured("OMISE_SECRET_KEY is not set; Omise cannot be used without it.")
        self.live = not settings.OMISE_SECRET_KEY.startswith("skey_test_")
        self.rest = RestClient(
            settings.OMISE_API_URL, (settings.OMISE_SECRET_KEY, ""), {"Omise-Version": VERSION}
        )  # fmt: skip

    def methods(self) -> tuple[Method, ...]:
        labels = {"promptpay": _("PromptPay QR"), "card": _("Card")}
        return tuple(
            Method(
                name,
                labels[name],
                limits_of(self.name, name, _LIMITS[name]),
                refundable=name in settings.OMISE_REFUNDABLE,
                comes_back=name != "card",
            )
            for name in settings.OMISE_METHODS
        )

    # --- checkout ------------------------------------------------------------

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """Omise knows no idempotency key: after a lost reply, what carries our reference is looked for first."""
        if request.method == "card":
            link = self._lost("/links", request) or self.rest.ask("POST", "/links", body=_link(request))
            return Checkout(_id_of(link), str(link.get("payment_uri") or ""))
        charge = self._lost("/charges", request) or self._charge(request)
        return Checkout(_id_of(charge), qr_svg=self._qr(charge), expires_at=reading.moment(charge.get("expires_at")))

    def _charge(self, request: CheckoutRequest) -> dict[str, Any]:
        money = {"amount": request.amount_minor, "currency": request.currency.lower()}
        source = self.rest.ask("POST", "/sources", body={"type": "promptpay", **money})
        charge = {
            **money, "source": source.get("id"), "return_uri": request.success_url, "description": request.description,
            "metadata": {"reference": request.reference},
        }  # fmt: skip
        return self.rest.ask("POST", "/charges", body=charge)

    def _lost(self, path: str, request: CheckoutRequest) -> dict[str, Any] | None:
        if not request.asked_before:
            return None
        found = self._by_reference(path, request.reference, datetime.now().astimezone() - timedelta(hours=26))
        usable = found and found.get("status", "pending") == "pending" and not found.get("used")
        return found if usable else None

    def _qr(self, charge: Mapping[str, Any]) -> str:
        """The picture that a phone scans. Only an SVG of sensible size; our page shows it as an image, so it cannot
        act."""
        kind, text = self.rest.text(reading.qr_address(charge))
        if "svg" not in kind or "<svg" not in text or len(text) > _LARGEST_QR:
            raise ProviderError("Omise's QR code is no SVG picture.")
        return text

    def find(self, ref: Ref) -> PaymentState | None:
        if ref.external_payment_id.startswith("link_"):
            return self._of_link(self.rest.ask("GET", f"/links/{ref.external_payment_id}"), ref.charge_id)
        if ref.external_payment_id:
            return reading.payment_state(self.rest.ask("GET", f"/charges/{ref.external_payment_id}"))
        since = ref.created_at - timedelta(hours=1)
        if ref.method == "card":
            link = self._by_reference("/links", ref.reference, since)
            return self._of_link(link, ref.charge_id) if link else None
        charge = self._by_reference("/charges", ref.reference, since)
        return reading.payment_state(charge) if charge else None

    def _of_link(self, link: Mapping[str, Any], known: str) -> PaymentState:
        """A link with the charge that paid it, read by itself: a link shows its charges in short.

        ``known`` is the charge in our books, empty before: its refunds count, whoever pays the link once more.
        """
        charges = (link.get("charges") or {}).get("data") or []
        paid = [each for each in charges if each.get("status") == "successful"]
        charge_id = known or (_id_of((paid or charges)[-1]) if charges else "")
        return reading.link_state(link, self.rest.ask("GET", f"/charges/{charge_id}") if charge_id else None)

    def _by_reference(self, path: str, reference: str, since: datetime) -> dict[str, Any] | None:
        """The newest object of ours with this reference, of those made since ``since``."""
        for row in self._all(path, since, order="reverse_chronological"):
            if reading.reference_of(row) == reference:
                return row
        return None

    def cancel(self, ref: Ref) -> bool:
        try:
            if ref.external_payment_id.startswith("link_"):
                return bool(self.rest.ask("DELETE", f"/links/{ref.external_payment_id}").get("deleted"))
            charge = self.rest.ask("POST", f"/charges/{ref.external_payment_id}/expire")
        except Refused:
            return False
        return charge.get("status") == "expired"

    # --- money back ----------------------------------------------------------

    def refund(self, ref: Ref, request: RefundRequest) -> RefundState:
        """No idempotency key here either: after a lost reply, the charge's refunds are looked at first."""
        path = f"/charges/{ref.charge_id}/refunds"
        if request.asked_before:
            charge = self.rest.ask("GET", f"/charges/{ref.charge_id}")
            for each in reading.payment_state(charge).refunds:
                if each.reference == request.reference:
                    return each
        body = {
            "amount": request.amount_minor,
            "metadata": {"reference": request.reference, "reason": request.reason},
        }
        return reading.refund_state(self.rest.ask("POST", path, body=body))

    def settled(self, start: datetime, end: datetime) -> Iterable[PaymentState]:
        """Charges made up to a day before ``start``, paid in the window."""
        for charge in self._all("/charges", start - timedelta(hours=25), until=end):
            if charge.get("status") == "successful" or charge.get("paid"):
                state = reading.payment_state(charge)
                if state.captured_at is not None and start <= state.captured_at < end:
                    yield state

    def _all(
        self, path: str, since: datetime, *, until: datetime | None = None, order: str = "chronological"
    ) -> Iterable[dict[str, Any]]:
        """Every row of a list, page by page."""
        query = {"from": since.isoformat(), "order": order, "limit": PAGE}
        if until is not None:
            query["to"] = until.isoformat()
        offset = 0
        while True:
            answer = self.rest.ask("GET", path, query={**query, "offset": offset})
            rows = answer.get("data")
            if not isinstance(rows, list):
                raise ProviderError("Omise's answer is not a list.")
            yield from rows
            offset += len(rows)
            if not rows or offset >= int(answer.get("total") or 0):
                return

    # --- calls ---------------------------------------------------------------

    def verify(self, body: bytes, headers: Mapping[str, str], now: datetime) -> tuple[str, Mapping[str, Any]]:
        """Hex HMAC-SHA256 of ``timestamp.body`` under the base64-decoded secret; two of them while it is replaced."""
        secrets = [_decoded(secret) for secret in secrets_of("OMISE_WEBHOOK_SECRET", "OMISE_WEBHOOK_SECRET_OLD")]
        if not secrets:
            raise Misconfigured("OMISE_WEBHOOK_SECRET is not set; webhooks cannot be verified.")
        timestamp = headers.get(SIGNED_AT, "")
        given = [part.strip() for part in headers.get(SIGNATURE, "").split(",")]
        require_signature(timestamp.encode("utf-8", "replace") + b"." + body, given, secrets)
        require_fresh(timestamp, now)
        payload = json_object(body)
        return reading.event_id(payload), payload

    def read_event(self, event_id: str, payload: Mapping[str, Any]) -> ProviderEvent:
        return reading.event(event_id, payload)


def _decoded(secret: bytes) -> bytes:
    try:
        return base64.b64decode(secret, validate=True)
    except binascii.Error as error:
        raise Misconfigured("OMISE_WEBHOOK_SECRET is not base64; copy it from the dashboard as it is.") from error


def _link(request: CheckoutRequest) -> dict[str, Any]:
    """Links carry no metadata: the reference goes at the end of the description."""
    return {
        "amount": request.amount_minor, "currency": request.currency.lower(), "multiple": False,
        "title": request.description[:200], "description": f"{request.description[:200]} [{request.reference}]",
    }  # fmt: skip


def _id_of(row: Mapping[str, Any]) -> str:
    found = row.get("id")
    if not isinstance(found, str) or not found:
        raise ProviderError("Omise's answer has no id.")
    return found
