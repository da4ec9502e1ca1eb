"""Razorpay over its REST API (its library knows no timeout).

``external_payment_id`` is the order (``order_…``), ``charge_id`` the payment that counts (``pay_…``). Payments are
authorised first and captured by us, only while the receipt waits for them: what is not captured goes back to the payer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from core.errors import Misconfigured
from payments.providers.base import Checkout, CheckoutRequest, PaymentProvider, Ref, RefundRequest
from payments.providers.errors import ProviderError, Refused, WebhookRejected
from payments.providers.limits import Method, limits_of
from payments.providers.razorpay import reading
from payments.providers.rest import RestClient
from payments.providers.states import PaymentState, ProviderEvent, RefundState
from payments.providers.webhook import json_object, require_signature, secrets_of, text_of

SIGNATURE, EVENT_ID = "X-Razorpay-Signature", "X-Razorpay-Event-Id"
PAGE = 100
_LIMITS = {"INR": (100, 50_000_000), "USD": (100, 5_000_000), "THB": (2000, 15_000_000)}


class RazorpayProvider(PaymentProvider):
    name: ClassVar[str] = "razorpay"
    label: ClassVar[str] = "Razorpay"
    captures: ClassVar[bool] = False

    def __init__(self) -> None:
        for setting in ("RAZORPAY_KEY_ID", "RAZORPAY_KEY_SECRET"):
            if not getattr(settings, setting):
                raise Misconfigured(f"{setting} is not set; Razorpay cannot be used without it.")
        self.key_id, self._secret = settings.RAZORPAY_KEY_ID, settings.RAZORPAY_KEY_SECRET
        self.live = self.key_id.startswith("rzp_live_")
        self.rest = RestClient(settings.RAZORPAY_API_URL, (self.key_id, self._secret), {})

    def methods(self) -> tuple[Method, ...]:
        return (Method("checkout", _("Card, UPI or netbanking"), limits_of(self.name, "checkout", _LIMITS)),)

    # --- checkout ------------------------------------------------------------

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """Orders know no idempotency key, but may be looked up by our reference."""
        order = self._order(request.reference) if request.asked_before else None
        if order is None:
            body = {
                "amount": request.amount_minor, "currency": request.currency, "receipt": request.reference,
                "payment_capture": False, "notes": {"reference": request.reference},
            }  # fmt: skip
            order = self.rest.ask("POST", "/v1/orders", body=body)
        order_id = reading.text(order, "id")
        callback = f"{settings.SITE_BASE_URL}{reverse('payments:return', args=[self.name])}"
        form = {
            "key_id": self.key_id, "order_id": order_id, "amount": str(request.amount_minor),
            "currency": request.currency, "name": settings.ORG_NAME, "description": request.description[:250],
            "callback_url": callback, "cancel_url": request.cancel_url,
        }  # fmt: skip
        return Checkout(order_id, f"{settings.RAZORPAY_API_URL.rstrip('/')}/v1/checkout/embedded", form)

    def _order(self, reference: str) -> dict[str, Any] | None:
        rows = self.rest.ask("GET", "/v1/orders", query={"receipt": reference, "count": 10}).get("items") or []
        return next((row for row in rows if row.get("receipt") == reference), None)

    def find(self, ref: Ref) -> PaymentState | None:
        if ref.external_payment_id:
            order: dict[str, Any] | None = self.rest.ask("GET", f"/v1/orders/{ref.external_payment_id}")
        else:
            order = self._order(ref.reference)
        if order is None:
            return None
        payments = self._items(f"/v1/orders/{reading.text(order, 'id')}/payments")
        chosen = reading.that_counts(payments, ref.charge_id)
        if chosen is None or not chosen.get("captured"):
            return reading.payment_state(order, chosen, self.live)
        refunds, disputes = [], []
        if ref.captured or chosen.get("amount_refunded"):
            refunds = self._items(f"/v1/payments/{reading.text(chosen, 'id')}/refunds")
        if ref.captured:
            disputes = [each for each in self._items("/v1/disputes") if each.get("payment_id") == chosen["id"]]
        return reading.payment_state(order, chosen, self.live, refunds, disputes)

    def capture(self, ref: Ref) -> None:
        body = {"amount": ref.amount_minor, "currency": ref.currency}
        try:
            self.rest.ask("POST", f"/v1/payments/{ref.charge_id}/capture", body=body)
        except Refused:
            if self.rest.ask("GET", f"/v1/payments/{ref.charge_id}").get("status") != "captured":
                raise

    # --- money back ----------------------------------------------------------

    def refund(self, ref: Ref, request: RefundRequest) -> RefundState:
        body = {
            "amount": request.amount_minor, "receipt": request.reference,
            "notes": {"reference": request.reference, "reason": request.reason[:250]},
        }  # fmt: skip
        if request.asked_before:
            for each in map(reading.refund_state, self._items(f"/v1/payments/{ref.charge_id}/refunds")):
                if each.reference == request.reference:
                    return each
        headers = {"X-Refund-Idempotency": request.reference}
        path = f"/v1/payments/{ref.charge_id}/refund"
        return reading.refund_state(self.rest.ask("POST", path, body=body, headers=headers))

    def settled(self, start: datetime, end: datetime) -> Iterable[PaymentState]:
        """Captured payments made up to five days before ``start`` (late authorisations) and captured in the window."""
        window = {"from": int((start - timedelta(days=5)).timestamp()), "to": int(end.timestamp()) - 1}
        for payment in self._items("/v1/payments", **window):
            if payment.get("captured") and (order_id := payment.get("order_id")):
                order = self.rest.ask("GET", f"/v1/orders/{order_id}")
                refunds = self._items(f"/v1/payments/{payment['id']}/refunds") if payment.get("amount_refunded") else []
                state = reading.payment_state(order, payment, self.live, refunds)
                if state.captured_at is not None and start <= state.captured_at < end:
                    yield state

    def _items(self, path: str, **query: int) -> list[dict[str, Any]]:
        """Every row of a collection."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self.rest.ask("GET", path, query={**query, "count": PAGE, "skip": len(found)})
            rows = answer.get("items")
            if not isinstance(rows, list):
                raise ProviderError("Razorpay's answer is not a collection.")
            found += rows
            if len(rows) < PAGE:
                return found

    # --- calls ---------------------------------------------------------------

    def verify(self, body: bytes, headers: Mapping[str, str], now: datetime) -> tuple[str, Mapping[str, Any]]:
        """Hex HMAC-SHA256 of the body alone: neither the time nor the event's id is covered.

        A copy of an old call therefore passes here. It does no harm: its bytes are known, and what
        it is about is read anew from Razorpay before anything moves.
        """
        secrets = secrets_of("RAZORPAY_WEBHOOK_SECRET", "RAZORPAY_WEBHOOK_SECRET_OLD")
        if not secrets:
            raise Misconfigured("RAZORPAY_WEBHOOK_SECRET is not set; webhooks cannot be verified.")
        require_signature(body, [headers.get(SIGNATURE, "")], secrets)
        payload = json_object(body)
        named = headers.get(EVENT_ID, "") or f"body:{hashlib.sha256(body).hexdigest()}"
        if not reading.is_fresh(payload, now, timedelta(days=2)):
            raise WebhookRejected("the call is too old or from the future")
        return named, payload

    def read_event(self, event_id: str, payload: Mapping[str, Any]) -> ProviderEvent:
        return reading.event(event_id, payload)

    def read_return(self, fields: Mapping[str, str]) -> str:
        """The signature proves that order and payment belong together, not the money: that is read anew.

        A failed try brings no signature; its order only says which record to read.
        """
        if failure := fields.get("error[metadata]"):
            return text_of(json_object(failure.encode("utf-8", "replace")).get("order_id"))
        order_id, payment_id = fields.get("razorpay_order_id", ""), fields.get("razorpay_payment_id", "")
        message = f"{order_id}|{payment_id}".encode()
        require_signature(message, [fields.get("razorpay_signature", "")], [self._secret.encode()])
        return order_id
