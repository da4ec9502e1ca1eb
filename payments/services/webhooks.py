"""Calls from providers: verify, store, recognise repeats, then follow the provider's record."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from audit import services as audit
from audit.hashing import plain
from core.context import Actor
from core.errors import AppError
from payments import metrics, providers
from payments.models import EventOutcome, Payment, PaymentEvent
from payments.providers.base import PaymentProvider
from payments.providers.errors import WebhookRejected
from payments.providers.states import LONGEST_TEXT, ProviderEvent
from payments.services.settlement import Applied, apply_state
from payments.services.sync import sync_payment

logger = logging.getLogger("payments.webhooks")
WAITING = (EventOutcome.RECEIVED, EventOutcome.FAILED)
LEASE = timedelta(seconds=60)  # nobody else works on an event that is being worked on
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 1440))
UNKNOWN_TRIES = 3  # an event of a payment that we do not know may have overtaken our own record of it


@dataclass(frozen=True, slots=True)
class Received:
    """``http_status`` for the provider: 200 also for repeats and events of no interest, 400 when not believed."""

    http_status: int
    outcome: str
    detail: str


def receive(*, provider_name: str, body: bytes, headers: Mapping[str, str]) -> Received:
    """Take one raw call. Raises ``Misconfigured`` for an unknown provider, and nothing for any bytes.

    The event is stored before it is acted on. When acting fails it is kept, answered 200, and
    ``process_pending`` tries again.
    """
    provider = providers.provider(provider_name)
    digest = hashlib.sha256(body).hexdigest()
    try:
        event_id, verified = provider.verify(body, headers, timezone.now())
        event = provider.read_event(_checked_id(event_id), verified)
        payload = _storable(event)
    except WebhookRejected as error:
        _count_rejected(provider_name, digest, error.message)
        return _answer(provider_name, 400, EventOutcome.REJECTED, error.message)
    row, new = _store(provider_name, event, payload, digest)
    if not new and not _claim(row):
        return _answer(provider_name, 200, "duplicate", row.detail)
    return _work(provider, row, event)


def _checked_id(event_id: str) -> str:
    """Some providers name the event in a header, which no signature covers."""
    if not event_id or not event_id.isprintable() or len(event_id) > LONGEST_TEXT:
        raise WebhookRejected("the event's id is missing, too long or not printable")
    return event_id


def _storable(event: ProviderEvent) -> dict[str, Any]:
    """The payload as any database can hold it. Raises ``WebhookRejected`` for nesting beyond reason."""
    try:
        payload: dict[str, Any] = plain(event.payload)
    except RecursionError as error:
        raise WebhookRejected("the body is nested too deeply") from error
    return payload


def _store(provider_name: str, event: ProviderEvent, payload: dict[str, Any], digest: str) -> tuple[PaymentEvent, bool]:
    """The row of this event, and whether this call made it. Its id and its bytes are unique, each by itself."""
    same = Q(external_event_id=event.event_id) | Q(body_sha256=digest, signature_ok=True)
    known = PaymentEvent.objects.filter(same, provider=provider_name).order_by("id")
    stored = known.first()
    if stored is None:
        try:
            with transaction.atomic():
                return PaymentEvent.objects.create(
                    provider=provider_name, external_event_id=event.event_id, event_type=event.event_type[:100],
                    signature_ok=True, raw_payload=payload, body_sha256=digest, attempts=1,
                    next_try_at=timezone.now() + LEASE,
                ), True  # fmt: skip
        except IntegrityError:  # the same call at the same moment
            stored = known.get()
    PaymentEvent.objects.filter(pk=stored.pk).update(deliveries=F("deliveries") + 1)
    return stored, False


def _claim(row: PaymentEvent) -> bool:
    """Take an event that is not decided and that nobody is working on."""
    now = timezone.now()
    failed = Q(outcome=EventOutcome.FAILED) | Q(outcome=EventOutcome.RECEIVED, next_try_at__lte=now)
    mine = PaymentEvent.objects.filter(failed, pk=row.pk, attempts=row.attempts)
    if not mine.update(outcome=EventOutcome.RECEIVED, attempts=F("attempts") + 1, next_try_at=now + LEASE):
        return False
    row.attempts += 1
    return True


def _work(provider: PaymentProvider, row: PaymentEvent, event: ProviderEvent) -> Received:
    """Act on a stored event that this caller holds; what goes wrong is kept with its reason."""
    try:
        payment, applied = _act(provider, event)
    except Exception as error:
        expected = isinstance(error, AppError)
        logger.log(
            logging.WARNING if expected else logging.ERROR, "webhook %s of %s: %r", row.external_event_id,
            provider.name, error, exc_info=not expected,
        )  # fmt: skip
        _keep_failed(row, repr(error)[:255])
        return _answer(provider.name, 200, EventOutcome.FAILED, "kept, to be worked on again")
    if payment is None and applied.outcome == EventOutcome.MISMATCH and row.attempts < UNKNOWN_TRIES:
        _keep_failed(row, applied.detail)
        return _answer(provider.name, 200, EventOutcome.RECEIVED, applied.detail)
    PaymentEvent.objects.filter(pk=row.pk).update(
        payment=payment, outcome=applied.outcome, detail=applied.detail[:255], processed_at=timezone.now(),
        next_try_at=None,
    )  # fmt: skip
    return _answer(provider.name, 200, applied.outcome, applied.detail)


def _act(provider: PaymentProvider, event: ProviderEvent) -> tuple[Payment | None, Applied]:
    """Where the provider's record can be read, the call is only a hint to read it: no order of calls matters."""
    if not event.concerns:
        return None, Applied(EventOutcome.IGNORED, "an event of no interest")
    payment = find_payment(provider.name, event)
    if payment is None:
        return None, Applied(EventOutcome.MISMATCH, "no payment of ours has this id")
    if event.state is not None:
        return payment, apply_state(provider=provider, payment=payment, state=event.state)
    synced = sync_payment(payment)
    return synced.payment, synced.applied


def find_payment(provider: str, event: ProviderEvent) -> Payment | None:
    """By the provider's ids; by our own reference when the call overtook our record of them."""
    mine = Payment.objects.filter(provider=provider)
    found = None
    if event.external_payment_id:
        found = mine.filter(external_payment_id=event.external_payment_id).first()
    if found is None and event.charge_id:
        found = mine.filter(external_charge_id=event.charge_id).first()
    if found is None and event.reference:
        by_reference = mine.filter(idempotency_key=event.reference)
        # A state inside the call is believed only for the id that we know; a record is read by our own.
        found = (by_reference.filter(external_payment_id="") if event.state is not None else by_reference).first()
    return found


def _keep_failed(row: PaymentEvent, detail: str) -> None:
    pause = PAUSES[min(row.attempts, len(PAUSES)) - 1]
    over = row.attempts > len(PAUSES)
    PaymentEvent.objects.filter(pk=row.pk).update(
        outcome=EventOutcome.FAILED, detail=detail, next_try_at=None if over else timezone.now() + pause
    )


def process_pending(*, limit: int = 1000) -> dict[str, int]:
    """Work on events whose time has come. Returns how many ended in which outcome."""
    due = PaymentEvent.objects.filter(outcome__in=WAITING, next_try_at__lte=timezone.now()).order_by("id")
    counts: dict[str, int] = {}
    for row in due[:limit]:
        outcome = _again(row).outcome
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def replay(*, actor: Actor, event: PaymentEvent) -> Received:
    """Work on a stored event once more, whatever came of it before; nothing can move twice by it.

    Raises ``WebhookRejected`` for one that was never believed, or whose content is deleted.
    """
    if not event.signature_ok:
        raise WebhookRejected(_("Its signature was wrong: nothing of it was kept."))
    if not event.raw_payload:
        raise WebhookRejected(_("Its content was deleted with age: there is nothing left to work on."))
    PaymentEvent.objects.filter(pk=event.pk).update(outcome=EventOutcome.FAILED, attempts=0)
    event.refresh_from_db()
    audit.record(actor=actor, action="webhook_replay", target=str(event.pk), entity=event)
    return _again(event)


def _again(row: PaymentEvent) -> Received:
    """Raises nothing: a provider that is not set up any more keeps its own events waiting, and no others."""
    if not _claim(row):
        return Received(200, "duplicate", "somebody else is at it")
    try:
        provider = providers.provider(row.provider)
        event = provider.read_event(row.external_event_id, row.raw_payload)
    except AppError as error:
        logger.warning("webhook %s of %s: %s", row.external_event_id, row.provider, error.message)
        _keep_failed(row, error.message[:255])
        return Received(200, EventOutcome.FAILED, error.message)
    return _work(provider, row, event)


def _count_rejected(provider_name: str, digest: str, reason: str) -> None:
    """That somebody knocked is worth knowing; what they brought is not kept, and floods make no rows."""
    slug = re.sub(r"[^a-z]+", "-", reason.lower()).strip("-")
    key = f"rejected:{timezone.localdate():%Y-%m-%d}:{slug}"[:LONGEST_TEXT]
    logger.warning("webhook of %s rejected (%s), body %s", provider_name, reason, digest)
    row = PaymentEvent(
        provider=provider_name, external_event_id=key, outcome=EventOutcome.REJECTED, detail=reason[:255],
        processed_at=timezone.now(), deliveries=0,
    )  # fmt: skip
    PaymentEvent.objects.bulk_create([row], ignore_conflicts=True)
    PaymentEvent.objects.filter(provider=provider_name, external_event_id=key).update(deliveries=F("deliveries") + 1)


def _answer(provider_name: str, http_status: int, outcome: str, detail: str) -> Received:
    metrics.EVENTS.labels(provider_name, outcome).inc()
    return Received(http_status, str(outcome), detail)
