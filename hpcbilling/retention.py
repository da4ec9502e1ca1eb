"""What may be deleted when it is old. Money, usage and the audit log are not on this list."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import AuthThrottle, Session
from core.errors import UsageError


def _throttle(before: datetime) -> QuerySet[AuthThrottle]:
    running = Q(locked_until__gt=timezone.now())
    return AuthThrottle.objects.filter(window_start__lt=before).exclude(running)


def _sessions(before: datetime) -> QuerySet[Session]:
    return Session.objects.filter(expire_date__lt=min(before, timezone.now()))


KINDS: dict[str, Callable[[datetime], QuerySet]] = {"throttle": _throttle, "sessions": _sessions}


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
    counts = {}
    for kind in kinds:
        rows = KINDS[kind](before)
        counts[kind] = rows.count() if dry_run else rows.delete()[0]
    return counts
