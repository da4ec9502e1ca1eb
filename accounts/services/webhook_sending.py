"""Sending what waits: claimed in the database, sent outside of transactions, every try written down."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from standardwebhooks import Webhook

from accounts import outside
from accounts.models import (
    DELIVERY_TRANSITIONS,
    DeliveryStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from accounts.services.webhooks import switch_off
from core import sealing
from core.context import SYSTEM
from core.states import transition

logger = logging.getLogger("accounts.webhooks")
# Pauses after the first, second, ... failed try; after one more the message is given up.
PAUSES = (
    timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=5),
    timedelta(hours=10), timedelta(hours=10),
)  # fmt: skip
LEASE = timedelta(minutes=1)  # longer than any try takes
MOST_FAILURES = 30  # tries in a row, at most one a run and address, after which the address is switched off
BATCH = 500


@dataclass(frozen=True, slots=True)
class Try:
    """What one try came to: a status, or why there is none."""

    status: int | None
    milliseconds: int
    error: str = ""

    @property
    def good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - the good answers of HTTP


def due(now: datetime | None = None) -> QuerySet[WebhookDelivery]:
    """What may be sent now: its time has come, and nobody holds it."""
    now = now or timezone.now()
    return WebhookDelivery.objects.filter(
        Q(claimed_until__isnull=True) | Q(claimed_until__lte=now), status=DeliveryStatus.PENDING,
        next_attempt_at__lte=now, endpoint__is_active=True,
    )  # fmt: skip


def send_due(*, limit: int = BATCH) -> dict[str, int]:
    """Send what is due, the oldest first. Returns ``sent``, ``later`` (failed, tried again), ``failed``, ``held_back``.

    An address that has just failed gets nothing more in this run: one dead receiver must not keep the others waiting.
    """
    counts = {"sent": 0, "later": 0, "failed": 0, "held_back": 0}
    dead: set[int] = set()
    for pk, endpoint in list(due().order_by("next_attempt_at", "pk").values_list("pk", "endpoint")[:limit]):
        if endpoint in dead:
            counts["held_back"] += 1
            continue
        row = claim(pk)
        if row is None:
            continue
        outcome = _record(row, _send(row))
        counts[outcome] += 1
        if outcome != "sent":
            dead.add(endpoint)
    return counts


def claim(pk: int) -> WebhookDelivery | None:
    """Hold the message for a while; None when somebody else was quicker. Who dies with it is found here, too."""
    now = timezone.now()
    row = due(now).filter(pk=pk).select_related("endpoint").first()
    if row is None:
        return None
    mine = WebhookDelivery.objects.filter(
        pk=pk, status=DeliveryStatus.PENDING, claimed_until=row.claimed_until, attempts=row.attempts
    )
    held = now + LEASE
    with transaction.atomic():
        if not mine.update(claimed_until=held, attempts=F("attempts") + 1):
            return None
        if row.claimed_until is not None:
            WebhookAttempt.objects.create(
                delivery=row, milliseconds=0, error=_("The program ended before the answer came.")
            )
    row.claimed_until, row.attempts = held, row.attempts + 1
    return row


def _send(row: WebhookDelivery) -> Try:
    begun = timezone.now()
    body = row.body.encode()
    try:
        signed = " ".join(signatures(row, begun))
    except sealing.Sealed as error:
        logger.error("The secret of webhook address %s cannot be opened: %s", row.endpoint.uuid, error)
        return Try(None, _since(begun), _("The secret cannot be read: the site's key was changed. Make a new secret."))
    headers = {
        "Content-Type": "application/json",
        "webhook-id": row.message_id,
        "webhook-timestamp": str(int(begun.timestamp())),
        "webhook-signature": signed,
    }
    try:
        answer = outside.post(row.endpoint.url, body, headers)
    except (outside.OutsideRefused, outside.NoAnswer) as error:
        return Try(None, _since(begun), str(error)[:300])
    words = _("Redirects are not followed.") if 300 <= answer.status < 400 else ""  # noqa: PLR2004 - HTTP
    return Try(answer.status, answer.milliseconds, words)


def signatures(row: WebhookDelivery, moment: datetime) -> Iterator[str]:
    """By the secret, and while a change is under way by the former one, too. Raises ``sealing.Sealed``."""
    endpoint = row.endpoint
    yield Webhook(endpoint.signing_secret).sign(row.message_id, moment, row.body)
    if endpoint.old_secret and endpoint.old_secret_until and endpoint.old_secret_until > moment:
        with suppress(sealing.Sealed):  # a key that was lost is why there is a new secret
            yield Webhook(endpoint.old_signing_secret).sign(row.message_id, moment, row.body)


def _since(begun: datetime) -> int:
    return max(0, int((timezone.now() - begun).total_seconds() * 1000))


@transaction.atomic
def _record(row: WebhookDelivery, done: Try) -> str:
    """Write the try down; what came of the message. Whoever lost the claim meanwhile moves nothing."""
    WebhookAttempt.objects.create(
        delivery=row, status_code=done.status, milliseconds=done.milliseconds, error=done.error
    )
    endpoint = WebhookEndpoint.objects.select_for_update().get(pk=row.endpoint_id)
    held = WebhookDelivery.objects.filter(pk=row.pk, status=DeliveryStatus.PENDING, claimed_until=row.claimed_until)
    still_held = held.select_for_update().exists()
    if done.good:
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures=0)
        if still_held:
            transition(row, DeliveryStatus.SENT, table=DELIVERY_TRANSITIONS, sent_at=timezone.now(), claimed_until=None)
        return "sent"
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures=F("failures") + 1)
    outcome = "later"
    if row.attempts > len(PAUSES):
        outcome = "failed"
        if still_held:
            transition(row, DeliveryStatus.FAILED, table=DELIVERY_TRANSITIONS, claimed_until=None)
    else:
        held.update(next_attempt_at=timezone.now() + PAUSES[row.attempts - 1], claimed_until=None)
    if endpoint.is_active and endpoint.failures + 1 >= MOST_FAILURES:
        switch_off(actor=SYSTEM, endpoint=endpoint, failures=endpoint.failures + 1)
    return outcome
