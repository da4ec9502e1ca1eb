"""What a subscription may use and what it has used: windows of its limits. Reads, and makes the rows of windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from core.periods import next_month, period_start
from subscriptions.holders import held_by
from subscriptions.models import ENDED, LimitWindow, PlanLimit, Subscription
from usage.models import QuotaWindow

REQUESTS, TOKENS = "requests", "tokens"
_Key = tuple[int, str, str, datetime]  # subscription, metric, window, start
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

_USED = """
SELECT w.id, {sum}(CASE
    WHEN w.metric = 'requests' THEN a.event_count
    WHEN w.metric = 'tokens' THEN a.request_tokens + a.response_tokens
    WHEN m.aggregation = 'count' THEN a.event_count
    ELSE a.total_value END)
FROM quota_windows w
JOIN subscriptions s ON s.id = w.subscription_id
{whose}
LEFT JOIN meters m ON m.code = w.metric
JOIN usage_aggregates a ON a.subscription_id = {of}
    AND a.period_type = CASE
        WHEN w.{window} = 'total' THEN 'month' WHEN s.organisation_id IS NULL THEN 'hour' ELSE w.{window} END
    AND a.period_start >= w.starts_at AND (w.ends_at IS NULL OR a.period_start < w.ends_at)
    AND CASE
        WHEN w.metric = 'requests' THEN a.meter_id IS NULL AND a.model_id <> ''
        WHEN w.metric = 'tokens' THEN a.meter_id IS NULL
        WHEN m.id IS NULL THEN a.meter_id IS NULL AND a.metric_name = w.metric
        WHEN m.value_path = '' THEN a.meter_id IS NULL AND a.metric_name = m.metric_name
        ELSE a.meter_id = m.id END
WHERE w.id IN ({ids}) AND {alike} GROUP BY w.id
"""
# Those of the same holder that were over before this one had its plan (what ran beside it had a quota of its own): what
# they used of the same plan or AI model, or within a window of the same kind, which they had whatever their plan was in
# the end.
_BEFORE = """
JOIN plans p ON p.id = s.plan_id
JOIN subscriptions b ON b.id IN ({former}) AND b.id <> s.id
    AND COALESCE(b.username, '') = COALESCE(s.username, '')
    AND COALESCE(b.organisation_id, 0) = COALESCE(s.organisation_id, 0)
    AND b.end_at <= COALESCE(s.plan_since, s.start_at, s.created_at)
"""
_ALIKE = """(b.plan_id = p.id OR a.model_id = p.ai_model_id OR ((p.ai_model_id IS NULL OR a.model_id = '') AND EXISTS (
        SELECT 1 FROM quota_windows x WHERE x.subscription_id = b.id AND x.metric = w.metric
        AND x.{window} = w.{window} AND x.starts_at = w.starts_at)))"""
# What their calls that have not ended hold in windows of the same kind, for a while and so of whatever model.
_HELD = """
SELECT w.id, {sum}(x.held)
FROM quota_windows w
JOIN subscriptions s ON s.id = w.subscription_id
{whose}
JOIN quota_windows x ON x.subscription_id = b.id AND x.metric = w.metric AND x.{window} = w.{window}
    AND x.starts_at = w.starts_at
WHERE w.id IN ({ids}) GROUP BY w.id
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """A window with what was used in it, before the subscription, too. ``left`` is None without a limit, and never
    below 0. What is ``held`` leaves less, and uses nothing up."""

    window: QuotaWindow
    used: Decimal

    @property
    def held(self) -> Decimal:
        return self.window.held + self.window.carried_held

    @property
    def left(self) -> Decimal | None:
        limit = self.window.limit
        return None if limit is None else max(limit - self.used - self.held, Decimal(0))

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
    plans. A constant number of statements, however many there are."""
    by_plan: dict[int, list[PlanLimit]] = {}
    for limit in PlanLimit.objects.filter(plan__in={each.plan_id for each in subscriptions}):
        by_plan.setdefault(limit.plan_id, []).append(limit)
    wanted: dict[_Key, QuotaWindow] = {}
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
    if missing := [key for key in wanted if key not in there]:
        with transaction.atomic():  # nobody sees one without what it carries
            QuotaWindow.objects.bulk_create([wanted[key] for key in missing], ignore_conflicts=True)
            there = _there(wanted)
            carry([there[key] for key in missing if key in there])
    _follow_plans(there, wanted)
    return list(there.values())


def _follow_plans(there: Mapping[_Key, QuotaWindow], wanted: Mapping[_Key, QuotaWindow]) -> None:
    stale, moved = [], []
    for key, window in there.items():
        if (window.limit, window.is_hard) != (wanted[key].limit, wanted[key].is_hard):
            window.limit, window.is_hard = wanted[key].limit, wanted[key].is_hard
            stale.append(window)
        since = wanted[key].subscription.plan_since
        if since is not None and since >= window.starts_at:  # maybe to a plan that another had
            moved.append(window)
    if stale:
        QuotaWindow.objects.bulk_update(stale, ["limit", "is_hard"])
    carry(moved)


def _there(wanted: Iterable[_Key]) -> dict[_Key, QuotaWindow]:
    wanted = set(wanted)
    rows = QuotaWindow.objects.filter(
        subscription__in={key[0] for key in wanted}, starts_at__in={key[3] for key in wanted}
    ).select_related("subscription")
    found = {(row.subscription_id, row.metric, row.window, row.starts_at): row for row in rows}
    return {key: row for key, row in found.items() if key in wanted}


def standings(windows: Sequence[QuotaWindow]) -> list[Standing]:
    """What was used in each, by the sums of its events. One statement."""
    used = used_in([window.pk for window in windows])
    return [Standing(window, window.carried + used.get(window.pk, Decimal(0))) for window in windows]


def carry(windows: Sequence[QuotaWindow]) -> None:
    """Bring what is carried in line with what earlier subscriptions of the holders have used, events that came late
    among it, and hold. One statement where there are no such subscriptions, else four."""
    used: dict[int, Decimal] = {}
    held: dict[int, Decimal] = {}
    if windows and (former := _former(windows)):
        ids = [each.pk for each in windows]
        used, held = _sums(_USED, ids, former), _sums(_HELD, ids, former)
    changed = []
    for each in windows:
        found = used.get(each.pk, Decimal(0)), held.get(each.pk, Decimal(0))
        if (each.carried, each.carried_held) != found:
            each.carried, each.carried_held = found
            changed.append(each)
    if changed:
        QuotaWindow.objects.bulk_update(changed, ["carried", "carried_held"])


def _former(windows: Sequence[QuotaWindow]) -> list[int]:
    """Subscriptions of the same holders that ended within one of the windows, or were found to have ended then."""
    holders = {(each.subscription.user_id, each.subscription.organisation_id) for each in windows}
    since = min(each.starts_at for each in windows)
    over = Subscription.objects.filter(
        held_by(holders), Q(end_at__gte=since) | Q(updated_at__gte=since), status__in=ENDED
    )
    return [pk for pk, *holder in over.values_list("pk", "user_id", "organisation_id") if tuple(holder) in holders]


def used_in(ids: Sequence[int]) -> dict[int, Decimal]:
    """By window: what its subscription has used in it."""
    return _sums(_USED, ids) if ids else {}


def _sums(statement: str, ids: Sequence[int], former: Sequence[int] = ()) -> dict[int, Decimal]:
    """By window; of ``former`` subscriptions, where there are any, else of the window's own."""
    marks = [", ".join(["%s"] * len(each)) for each in (former, ids)]
    window = connection.ops.quote_name("window")
    text = statement.format(
        sum="SUM" if connection.vendor == "postgresql" else "exact_sum", window=window, ids=marks[1],
        whose=_BEFORE.format(former=marks[0]) if former else "",
        of="b.id" if former else "w.subscription_id", alike=_ALIKE.format(window=window) if former else "1 = 1",
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(text, [*former, *ids])
        return {window: Decimal(str(total)) for window, total in cursor.fetchall() if total is not None}
