"""Watching quotas: warn once at each mark, suspend what is used up, let it go on when its window begins anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone, translation

from accounts.services.outbox import queue_email, site_url
from core.clock import now_for, of
from core.context import Actor
from core.database.decimals import plain
from core.errors import AppError
from subscriptions.holders import addresses_of
from subscriptions.models import USABLE, PlanLimit, Subscription, SubscriptionStatus, SuspendedFor
from subscriptions.services.subscriptions import resume_subscription, suspend_subscription
from subscriptions.wording import metric_in_words
from usage.models import QuotaWindow
from usage.quotas import Standing, carry, open_windows, standings
from usage.services.reservations import expire_reservations

MARKS = (80, 90, 100)
CHUNK = 1000


@dataclass(slots=True)
class Watched:
    subscriptions: int = 0
    resumed: int = 0
    warned: int = 0
    suspended: int = 0
    expired_reservations: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def watch_quotas(
    *, actor: Actor, now: datetime | None = None, dry_run: bool = False, organisations: Sequence[int] | None = None
) -> Watched:
    """All subscriptions with limits, of these organisations, else of all real ones and of persons: a thousand at a
    time and in a constant number of statements each; then one more for each that needs somebody told."""
    now = now or timezone.now()
    if not dry_run:
        return _rounds(actor, now, organisations, dry_run=False)
    with transaction.atomic():  # windows are made to be counted
        done = _rounds(actor, now, organisations, dry_run=True)
        transaction.set_rollback(True)
    return done


def _rounds(actor: Actor, now: datetime, organisations: Sequence[int] | None, *, dry_run: bool) -> Watched:
    done = Watched()
    if not dry_run:
        done.expired_reservations = expire_reservations(now=now, organisations=organisations)
    done.resumed = _resume(actor, now, dry_run, organisations)
    limited = Exists(PlanLimit.objects.filter(plan=OuterRef("plan"), limit__isnull=False))
    chosen = of(Subscription.objects.filter(limited, status__in=USABLE), organisations)
    rows = chosen.select_related("organisation", "plan", "user")
    last = 0
    while some := list(rows.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        last = some[-1].pk
        done.subscriptions += len(some)
        _watch(actor, some, now, done, dry_run=dry_run)
    return done


def watch_one(*, actor: Actor, subscription: Subscription, now: datetime | None = None) -> None:
    """After a call was refused: it need not wait for the next round."""
    if subscription.status in USABLE:
        _watch(actor, [subscription], now or now_for(subscription.organisation), Watched(), dry_run=False)


def _resume(actor: Actor, now: datetime, dry_run: bool, organisations: Sequence[int] | None) -> int:
    over = of(Subscription.objects.all(), organisations).filter(
        Q(end_at__isnull=True) | Q(end_at__gt=now), status=SubscriptionStatus.SUSPENDED,
        suspended_for=SuspendedFor.QUOTA, reset_at__lte=now,
    )  # fmt: skip
    if dry_run:
        return over.count()
    return sum(resume_subscription(actor=actor, subscription=each, cause=SuspendedFor.QUOTA) for each in over)


def _watch(actor: Actor, some: list[Subscription], now: datetime, done: Watched, *, dry_run: bool) -> None:
    used_up: dict[int, list[Standing]] = {}
    by_id = {each.pk: each for each in some}
    windows = [each for each in open_windows(some, now) if each.limit is not None]
    carry(windows)
    for standing in standings(windows):
        subscription = by_id[standing.window.subscription_id]
        mark = max((each for each in MARKS if each <= standing.percent), default=0)
        if mark > standing.window.warned_percent:
            done.warned += 1 if dry_run else _warn(subscription, standing, mark, now)
        if standing.is_exhausted:
            used_up.setdefault(subscription.pk, []).append(standing)
    for pk, found in used_up.items():
        done.suspended += 1 if dry_run else _suspend(actor, by_id[pk], found)


@transaction.atomic
def _warn(subscription: Subscription, standing: Standing, mark: int, now: datetime) -> bool:
    """True where somebody was told. Only who moved the mark tells people."""
    window = standing.window
    values: dict[str, Any] = {"warned_percent": mark}
    if standing.is_exhausted:
        values["exhausted_at"] = now
    if not QuotaWindow.objects.filter(pk=window.pk, warned_percent__lt=mark).update(**values):
        return False
    facts = {
        "holder": subscription.holder, "mark": mark, "used": plain(standing.used),
        "limit": plain(window.limit or Decimal(0)), "reset_at": window.ends_at, "is_hard": window.is_hard,
        "url": site_url(f"/subscriptions/{subscription.uuid}/"),
    }  # fmt: skip
    addresses = addresses_of(subscription)
    for address, language in addresses:
        with translation.override(language or None):
            plan, metric = subscription.plan.label, metric_in_words(window.metric)
        queue_email(
            kind="quota", recipient=address, language=language, organisation=subscription.organisation,
            dedupe_key=f"quota:{window.pk}:{mark}:{address}", context={**facts, "plan": plan, "metric": metric},
        )  # fmt: skip
    return bool(addresses)


def _suspend(actor: Actor, subscription: Subscription, found: Iterable[Standing]) -> bool:
    """Until the last of the windows that are used up begins anew; for good where a limit in all is."""
    ends = [each.window.ends_at for each in found]
    reset_at = None if None in ends else max(end for end in ends if end is not None)
    metrics = ", ".join(sorted({each.window.metric for each in found}))
    try:
        return suspend_subscription(
            actor=actor, subscription=subscription, cause=SuspendedFor.QUOTA, reason=metrics[:255], reset_at=reset_at
        )
    except AppError:  # it ended meanwhile
        return False
