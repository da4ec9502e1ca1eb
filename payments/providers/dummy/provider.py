"""The dummy provider: its checkout is our ``/payments/simulate`` page, its webhook is signed like a real one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core.errors import Misconfigured
from payments.models import Payment
from payments.providers.base import Checkout, CheckoutRequest, PaymentProvider, Ref, RefundRequest
from payments.providers.dummy import signing
from payments.providers.errors import WebhookRejected
from payments.providers.limits import Method, limits_of
from payments.providers.states import PaymentState, ProviderEvent, RefundState, Said
from payments.providers.values import MOST_MINOR, minor_of
from payments.providers.webhook import json_object

_SAID = {
    "payment.succeeded": Said.SUCCEEDED,
    "payment.failed": Said.FAILED,
    "payment.canceled": Said.CANCELED,
}


class DummyProvider(PaymentProvider):
    name: ClassVar[str] = "dummy"
    label = _("Demonstration")
    fetches: ClassVar[bool] = False

    def __init__(self) -> None:
        if not settings.DUMMY_PROVIDER_ALLOWED:
            raise Misconfigured("PAYMENT_PROVIDER: the dummy provider moves no money and exists only with DEBUG=1.")
        self._secret: str = settings.PAYMENT_WEBHOOK_SECRET
        if not self._secret:
            raise Misconfigured("PAYMENT_WEBHOOK_SECRET is not set; webhooks cannot be verified.")

    def methods(self) -> tuple[Method, ...]:
        usual = {settings.PAYMENT_CURRENCY: (1, MOST_MINOR)}
        return (Method("page", _("Demonstration page"), limits_of(self.name, "page", usual)),)

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        external_id = f"dummy_{request.reference}"
        page = f"{settings.SITE_BASE_URL}{reverse('payments:simulate')}"
        return Checkout(external_id, f"{page}?{urlencode({'payment': external_id})}")

    def cancel(self, ref: Ref) -> bool:
        return True

    def refund(self, ref: Ref, request: RefundRequest) -> RefundState:
        return RefundState(f"dummy_{request.reference}", request.reference, request.amount_minor, Said.SUCCEEDED)

    def verify(self, body: bytes, headers: Mapping[str, str], now: datetime) -> tuple[str, Mapping[str, Any]]:
        fault = signing.verify(
            body, headers.get(signing.HEADER, ""), self._secret, int(now.timestamp()),
            settings.PAYMENT_WEBHOOK_TOLERANCE_SEC,
        )  # fmt: skip
        if fault:
            raise WebhookRejected(fault)
        payload = json_object(body)
        event_id = payload.get("id")
        if not isinstance(event_id, str) or not event_id:
            raise WebhookRejected("the body is not an event of this provider")
        return event_id, payload

    def read_event(self, event_id: str, payload: Mapping[str, Any]) -> ProviderEvent:
        data = payload.get("data")
        if not isinstance(data, Mapping):
            raise WebhookRejected("the body is not an event of this provider")
        amount = data.get("amount")
        texts = [payload.get("type"), data.get("id"), data.get("reference"), data.get("currency")]
        if type(amount) is not int or not all(isinstance(text, str) and text for text in texts):
            raise WebhookRejected("the body is not an event of this provider")
        try:
            amount = minor_of(amount)
        except ValueError as error:
            raise WebhookRejected(str(error)) from error
        kind, external_id, reference, currency = (str(text) for text in texts)
        state = PaymentState(
            _SAID.get(kind, Said.PENDING), external_id, external_id, reference, amount, currency.upper(), live=False
        )
        return ProviderEvent(
            event_id, kind, external_id, external_id, reference, state, concerns=kind in _SAID, payload=payload
        )


def signed_event(
    payment: Payment, event_type: str, *, event_id: str, timestamp: int, **changes: Any
) -> tuple[bytes, dict[str, str]]:
    """Raw body and headers of a webhook as this provider sends it; ``changes`` alter its data (for fault tests)."""
    data = {
        "id": payment.external_payment_id,
        "reference": payment.idempotency_key,
        "amount": payment.amount_cents,
        "currency": payment.currency,
        **changes,
    }
    body = json.dumps({"id": event_id, "type": event_type, "created": timestamp, "data": data}).encode()
    return body, {signing.HEADER: signing.sign(body, settings.PAYMENT_WEBHOOK_SECRET, timestamp)}
