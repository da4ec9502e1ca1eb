"""What may be deleted when it is old. Money and usage are not on this list.

Rows of the audit log are moved to an archive under a signed checkpoint (``audit.checkpoints``), only where that is
asked for by name and AUDIT_RETENTION_DAYS permits it.

Of messages of payment providers that are decided, the content goes and the row stays: its id and hash still tell a
repeat, its outcome what was done. Calls that were rejected go whole. What waits, or did not match, is not touched.

Of e-mails that are over, the text and the address go; where a key says what they were about the row stays, so that the
same is not sent a second time. Messages to webhook addresses of customers go whole, with their tries; those that wait
stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import (
    AuthThrottle,
    DeliveryStatus,
    EmailChange,
    EmailNotification,
    EmailStatus,
    IdempotentRequest,
    KnownNetwork,
    Session,
    SignInPressure,
    WebhookDelivery,
)
from audit import checkpoints
from core.context import SYSTEM
from core.errors import Misconfigured, UsageError
from payments.models import EventOutcome, PaymentEvent

DECIDED = (EventOutcome.PROCESSED, EventOutcome.IGNORED)


def _throttle(before: datetime, dry_run: bool) -> int:
    running = Q(locked_until__gt=timezone.now())
    pressure = SignInPressure.objects.filter(window_start__lt=int(before.timestamp() * 1000))
    counters = _gone(AuthThrottle.objects.filter(window_start__lt=before).exclude(running), dry_run)
    return counters + _gone(pressure, dry_run) + _gone(KnownNetwork.objects.filter(last_seen__lt=before), dry_run)


def _sessions(before: datetime, dry_run: bool) -> int:
    return _gone(Session.objects.filter(expire_date__lt=min(before, timezone.now())), dry_run)


def _webhooks(before: datetime, dry_run: bool) -> int:
    old = PaymentEvent.objects.filter(received_at__lt=before)
    full = old.filter(outcome__in=DECIDED, processed_at__lt=before).exclude(raw_payload={})
    emptied = full.count() if dry_run else full.update(raw_payload={})
    return emptied + _gone(old.filter(outcome=EventOutcome.REJECTED), dry_run)


def _emails(before: datetime, dry_run: bool) -> int:
    over = EmailNotification.objects.filter(created_at__lt=before).exclude(status=EmailStatus.PENDING)
    full = over.filter(dedupe_key__isnull=False).exclude(recipient_email="")
    gone = {"recipient_email": "", "subject": "", "body_text": "", "body_html": "", "error_message": ""}
    emptied = full.count() if dry_run else full.update(**gone)
    unconfirmed = _gone(EmailChange.objects.filter(expires_at__lt=min(before, timezone.now())), dry_run)
    return emptied + unconfirmed + _gone(over.filter(dedupe_key__isnull=True), dry_run)


def _deliveries(before: datetime, dry_run: bool) -> int:
    over = WebhookDelivery.objects.filter(created_at__lt=before).exclude(status=DeliveryStatus.PENDING)
    old = over.filter(Q(sent_at__isnull=True) | Q(sent_at__lt=before))
    return old.count() if dry_run else old.delete()[1].get(WebhookDelivery._meta.label, 0)


def _idempotency(before: datetime, dry_run: bool) -> int:
    return _gone(IdempotentRequest.objects.filter(created_at__lt=before, claimed_until__lt=timezone.now()), dry_run)


def _audit(before: datetime, dry_run: bool) -> int:
    days = settings.AUDIT_RETENTION_DAYS
    if not days:
        raise Misconfigured("AUDIT_RETENTION_DAYS is 0: no row of the audit log may go.")
    if before > timezone.now() - timedelta(days=days) + timedelta(minutes=1):
        raise UsageError(f"AUDIT_RETENTION_DAYS={days}: younger audit rows stay; write --older-than {days}d.")
    if dry_run:
        span = checkpoints.old_rows(before)
        return span.rows if span else 0
    return checkpoints.archive(actor=SYSTEM, before=before)


def _gone(rows: QuerySet[Any], dry_run: bool) -> int:
    return rows.count() if dry_run else rows.delete()[0]


KINDS: dict[str, Callable[[datetime, bool], int]] = {
    "throttle": _throttle,
    "sessions": _sessions,
    "webhooks": _webhooks,
    "emails": _emails,
    "deliveries": _deliveries,
    "idempotency": _idempotency,
    "audit": _audit,
}
USUAL = tuple(kind for kind in KINDS if kind != "audit")  # what goes when nothing is named


def age(text: str) -> timedelta:
    """``90d`` or ``12h``. Raises ``UsageError``."""
    match = re.fullmatch(r"([1-9]\d{0,4})([dh])", text)
    if not match:
        raise UsageError(f"--older-than {text!r}: write days or hours, such as 90d or 12h.")
    number = int(match[1])
    return timedelta(days=number) if match[2] == "d" else timedelta(hours=number)


def prune(*, kinds: list[str], older_than: timedelta, dry_run: bool) -> dict[str, int]:
    """Delete (or, on a dry run, count) what is older, by kind. Raises ``UsageError`` for an unknown kind."""
    if unknown := sorted(set(kinds) - KINDS.keys()):
        raise UsageError(f"--what knows no {', '.join(unknown)}; it has {', '.join(KINDS)}.")
    before = timezone.now() - older_than
    return {kind: KINDS[kind](before, dry_run) for kind in kinds}
