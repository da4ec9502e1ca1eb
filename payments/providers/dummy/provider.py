"""The dummy provider: its checkout is our ``/payments/simulate`` page, its webhook is signed like a real one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse

from core.errors import Misconfigured
from payments.models import Payment
from payments.providers.base import Checkout, CheckoutRequest, ProviderEvent, Said, WebhookRejected
from payments.providers.dummy import signing

_SAID = {
    "payment.succeeded": Said.SUCCEEDED,
    "payment.failed": Said.FAILED,
    "payment.canceled": Said.CANCELED,
}


class DummyProvider:
    name: ClassVar[str] = "dummy"
    live = False

    def __init__(self) -> None:
        if not settings.DUMMY_PROVIDER_ALLOWED:
            raise Misconfigured("PAYMENT_PROVIDER: the dummy provider moves no money and exists only with DEBUG=1.")
        self._secret: str = settings.PAYMENT_WEBHOOK_SECRET
        if not self._secret:
            raise Misconfigured("PAYMENT_WEBHOOK_SECRET is not set; webhooks cannot be verified.")

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        external_id = f"dummy_{request.reference}"
        page = f"{settings.SITE_BASE_URL}{reverse('payments:simulate')}"
        return Checkout(external_id, f"{page}?{urlencode({'payment': external_id})}")

    def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> ProviderEvent:
        fault = signing.verify(
            body, headers.get(signing.HEADER, ""), self._secret, int(now.timestamp()),
            settings.PAYMENT_WEBHOOK_TOLERANCE_SEC,
        )  # fmt: skip
        if fault:
            raise WebhookRejected(fault)
        try:
            payload = json.loads(body)
            return self._event(payload)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise WebhookRejected("the body is not an event of this provider") from error

    def _event(self, payload: Any) -> ProviderEvent:
        data = payload["data"]
        amount = data["amount"]
        texts = [payload["id"], payload["type"], data["id"], data["reference"], data["currency"]]
        if type(amount) is not int or not all(isinstance(text, str) and text for text in texts):
            raise ValueError("wrong types")
        event_id, event_type, external_id, reference, currency = texts
        said = _SAID.get(event_type, Said.NOTHING)
        return ProviderEvent(
            event_id, event_type, said, external_id, reference, amount, currency, live=False, payload=payload
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
