"""What a subscription may use and what it has used: windows of its limits. Reads, and makes the rows of windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from core.periods import next_month, period_start
from subscriptions.models import LimitWindow, PlanLimit, Subscription
from usage.models import QuotaWindow

REQUESTS, TOKENS = "requests", "tokens"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

_USED = """
SELECT w.id, {sum}(CASE
    WHEN w.metric = 'requests' THEN a.event_count
    WHEN w.metric = 'tokens' THEN a.request_tokens + a.response_tokens
    WHEN m.aggregation = 'count' THEN a.event_count
    ELSE a.total_value END)
FROM quota_windows w
JOIN subscriptions s ON s.id = w.subscription_id
LEFT JOIN meters m ON m.code = w.metric
JOIN usage_aggregates a ON a.subscription_id = w.subscription_id
    AND a.period_type = CASE
        WHEN w.{window} = 'total' THEN 'month' WHEN s.organisation_id IS NULL THEN 'hour' ELSE w.{window} END
    AND a.period_start >= w.starts_at AND (w.ends_at IS NULL OR a.period_start < w.ends_at)
    AND CASE
        WHEN w.metric = 'requests' THEN a.meter_id IS NULL AND a.model_id <> ''
        WHEN w.metric = 'tokens' THEN a.meter_id IS NULL
        WHEN m.id IS NULL THEN a.meter_id IS NULL AND a.metric_name = w.metric
        WHEN m.value_path = '' THEN a.meter_id IS NULL AND a.metric_name = m.metric_name
        ELSE a.meter_id = m.id END
WHERE w.id IN ({ids}) GROUP BY w.id
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """A window with what was used in it. ``left`` is None without a limit; it never goes below 0."""

    window: QuotaWindow
    used: Decimal

    @property
    def left(self) -> Decimal | None:
        limit = self.window.limit
        return None if limit is None else max(limit - self.used - self.window.held, Decimal(0))

    @property
    def percent(self) -> Decimal:
        """Of the limit, of what is used; 100 where nothing is allowed."""
        limit = self.window.limit
        if limit is None:
            return Decimal(0)
        return 100 * self.used / limit if limit else Decimal(100)

    @property
    def is_exhausted(self) -> bool:
        return self.window.is_hard and self.window.limit is not None and self.used >= self.window.limit


def zone_of(subscription: Subscription) -> ZoneInfo:
    return subscription.organisation.zone if subscription.organisation else ZoneInfo(settings.TIME_ZONE)


def bounds(kind: str, subscription: Subscription, now: datetime) -> tuple[datetime, datetime | None]:
    """Start and end of the window of ``now``. A limit in all counts from the month in which the subscription began."""
    zone = zone_of(subscription)
    if kind == LimitWindow.TOTAL:
        return period_start("month", subscription.start_at or subscription.created_at, zone), None
    start = period_start(kind, now, zone)
    if kind == LimitWindow.HOUR:
        return start, start + HOUR
    local = start.astimezone(zone)
    following = next_month(local.date()) if kind == LimitWindow.MONTH else local.date() + DAY
    return start, datetime.combine(following, datetime.min.time(), zone).astimezone(UTC)


def open_windows(subscriptions: Sequence[Subscription], now: datetime) -> list[QuotaWindow]:
    """The windows of now of every limit that these have, made where they are missing and brought in line with their
    plans. Four statements, however many there are."""
    by_plan: dict[int, list[PlanLimit]] = {}
    for limit in PlanLimit.objects.filter(plan__in={each.plan_id for each in subscriptions}):
        by_plan.setdefault(limit.plan_id, []).append(limit)
    wanted: dict[tuple[int, str, str, datetime], QuotaWindow] = {}
    for subscription in subscriptions:
        for limit in by_plan.get(subscription.plan_id, ()):
            start, end = bounds(limit.window, subscription, now)
            wanted[subscription.pk, limit.metric, limit.window, start] = QuotaWindow(
                subscription=subscription, metric=limit.metric, window=limit.window, starts_at=start, ends_at=end,
                limit=limit.limit, is_hard=limit.is_hard,
            )  # fmt: skip
    if not wanted:
        return []
    there = _there(wanted)
    if missing := [window for key, window in wanted.items() if key not in there]:
        QuotaWindow.objects.bulk_create(missing, ignore_conflicts=True)
        there = _there(wanted)
    stale = []
    for key, window in there.items():
        if (window.limit, window.is_hard) != (wanted[key].limit, wanted[key].is_hard):
            window.limit, window.is_hard = wanted[key].limit, wanted[key].is_hard
            stale.append(window)
    QuotaWindow.objects.bulk_update(stale, ["limit", "is_hard"])
    return list(there.values())


def _there(wanted: Iterable[tuple[int, str, str, datetime]]) -> dict[tuple[int, str, str, datetime], QuotaWindow]:
    wanted = set(wanted)
    rows = QuotaWindow.objects.filter(
        subscription__in={key[0] for key in wanted}, starts_at__in={key[3] for key in wanted}
    ).select_related("subscription")
    found = {(row.subscription_id, row.metric, row.window, row.starts_at): row for row in rows}
    return {key: row for key, row in found.items() if key in wanted}


def standings(windows: Sequence[QuotaWindow]) -> list[Standing]:
    """What was used in each, by the sums of its events. One statement."""
    used = used_in([window.pk for window in windows])
    return [Standing(window, used.get(window.pk, Decimal(0))) for window in windows]


def used_in(ids: Sequence[int]) -> dict[int, Decimal]:
    if not ids:
        return {}
    add = "SUM" if connection.vendor == "postgresql" else "exact_sum"
    statement = _USED.format(sum=add, ids=", ".join(["%s"] * len(ids)), window=connection.ops.quote_name("window"))
    with connection.cursor() as cursor:
        cursor.execute(statement, ids)
        return {window: Decimal(str(total)) for window, total in cursor.fetchall() if total is not None}
