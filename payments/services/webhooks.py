"""Calls from providers: verify, store, recognise repeats, settle."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.hashing import plain
from payments import metrics, providers
from payments.models import EventOutcome, PaymentEvent
from payments.providers.base import PaymentProvider, ProviderEvent, WebhookRejected
from payments.services.settlement import find_payment, settle

logger = logging.getLogger("payments.webhooks")
_DECIDED = (EventOutcome.PROCESSED, EventOutcome.IGNORED, EventOutcome.MISMATCH)


@dataclass(frozen=True, slots=True)
class Received:
    """``http_status`` for the provider: 200 also for repeats and events of no interest, 400 when not believed."""

    http_status: int
    outcome: str
    detail: str


def receive(*, provider_name: str, body: bytes, headers: Mapping[str, str]) -> Received:
    """Take one raw call. Raises ``Misconfigured`` for an unknown provider, and nothing for any bytes.

    The event is stored before it is acted on, so it survives a failure while acting;
    such an event is acted on again when the provider repeats the call.
    """
    provider = providers.provider(provider_name)
    digest = hashlib.sha256(body).hexdigest()
    try:
        event = provider.parse_webhook(body, headers, timezone.now())
        payload = _storable(event)
    except WebhookRejected as error:
        _keep_rejected(provider_name, digest, len(body), error.message)
        return _answer(provider_name, 400, EventOutcome.REJECTED, error.message)
    row = _store(provider_name, event, payload, digest)
    try:
        return _process(provider, row, event)
    except Exception as error:  # kept with its reason; the provider calls again and we try again
        logger.exception("webhook %s of %s failed", row.external_event_id, provider_name)
        PaymentEvent.objects.filter(pk=row.pk).update(outcome=EventOutcome.FAILED, detail=repr(error)[:255])
        metrics.EVENTS.labels(provider_name, EventOutcome.FAILED).inc()
        raise


def _storable(event: ProviderEvent) -> dict[str, Any]:
    """The payload as any database can hold it. Raises ``WebhookRejected`` for nesting beyond reason."""
    try:
        payload: dict[str, Any] = plain(event.payload)
    except RecursionError as error:
        raise WebhookRejected("the body is nested too deeply") from error
    return payload


def _store(provider_name: str, event: ProviderEvent, payload: dict[str, Any], digest: str) -> PaymentEvent:
    values = {
        "event_type": event.event_type[:100],
        "signature_ok": True,
        "raw_payload": payload,
        "body_sha256": digest,
    }
    row, _new = PaymentEvent.objects.get_or_create(
        provider=provider_name, external_event_id=event.event_id, defaults=values
    )
    return row


@transaction.atomic
def _process(provider: PaymentProvider, stored: PaymentEvent, event: ProviderEvent) -> Received:
    row = PaymentEvent.objects.select_for_update().get(pk=stored.pk)
    if row.outcome in _DECIDED:
        return _answer(provider.name, 200, "duplicate", row.detail)
    payment = find_payment(provider.name, event)
    outcome, detail = (
        settle(provider=provider, payment=payment, event=event)
        if payment is not None
        else (EventOutcome.MISMATCH, "no payment of ours has this id")
    )
    row.payment, row.outcome, row.detail, row.processed_at = payment, outcome, detail[:255], timezone.now()
    row.save(update_fields=["payment", "outcome", "detail", "processed_at"])
    return _answer(provider.name, 200, outcome, detail)


def _keep_rejected(provider_name: str, digest: str, size: int, reason: str) -> None:
    """That somebody knocked is worth knowing; what they brought is not kept, and takes no real event's id."""
    try:
        with transaction.atomic():
            PaymentEvent.objects.create(
                provider=provider_name, external_event_id=f"rejected:{digest}", body_sha256=digest,
                raw_payload={"bytes": size}, outcome=EventOutcome.REJECTED, detail=reason[:255],
                processed_at=timezone.now(),
            )  # fmt: skip
    except IntegrityError:
        logger.info("the same rejected webhook again")


def _answer(provider_name: str, http_status: int, outcome: str, detail: str) -> Received:
    metrics.EVENTS.labels(provider_name, outcome).inc()
    return Received(http_status, str(outcome), detail)
