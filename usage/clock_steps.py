"""What time does to quotas and alerts of organisations with a test clock, for ``CLOCK_STEPS``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Min

from core.context import Actor
from core.periods import day_start
from subscriptions.models import Subscription, SubscriptionStatus
from usage.alerts.base import SETTLE
from usage.models import AlertPeriod, AlertRule
from usage.services.alert_runs import evaluate
from usage.services.quota_watch import watch_quotas

_HOUR = timedelta(hours=1)


class Quotas:
    """What a used-up quota has suspended goes on where its window begins anew."""

    def next(self, organisations: Sequence[int], after: datetime) -> datetime | None:
        resting = Subscription.objects.filter(
            organisation__in=organisations, status=SubscriptionStatus.SUSPENDED, reset_at__gt=after
        )
        found: datetime | None = resting.aggregate(first=Min("reset_at"))["first"]
        return found

    def run(self, *, actor: Actor, organisations: Sequence[int], now: datetime) -> Mapping[str, int]:
        found: dict[str, Any] = watch_quotas(actor=actor, now=now, organisations=organisations).as_dict()
        return {name: found[name] for name in ("resumed", "warned", "suspended")}


class Alerts:
    """Rules are looked at where a day of an organisation is over and settled (01:00); those by the hour, every hour.

    More often would find nothing else: usage comes with the clock standing, and is looked at when it begins to move.
    """

    def next(self, organisations: Sequence[int], after: datetime) -> datetime | None:
        rules = AlertRule.objects.filter(organisation__in=organisations, is_active=True).order_by()
        known = rules.values_list("comparison_period", "organisation__time_zone").distinct()
        return min((_following(after, *each) for each in known), default=None)

    def run(self, *, actor: Actor, organisations: Sequence[int], now: datetime) -> Mapping[str, int]:
        found = evaluate(now=now, organisations=organisations)
        return {"raised": found["raised"], "failed": found["failed"]}


def _following(after: datetime, period: str, zone: str) -> datetime:
    if period == AlertPeriod.HOUR:
        return after.replace(minute=0, second=0, microsecond=0) + _HOUR
    return next_settled(after, ZoneInfo(zone))


def next_settled(after: datetime, zone: ZoneInfo) -> datetime:
    """An hour after the next midnight of the zone's calendar."""
    day = (after - SETTLE).astimezone(zone).date()
    return day_start(day + timedelta(days=1), zone) + SETTLE


QUOTAS, ALERTS = Quotas(), Alerts()
