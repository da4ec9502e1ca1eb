"""Sums of metered usage: by series and period, by meter, by AI model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Max, QuerySet, Sum

from accounts.models import Project
from core.database.decimals import ExactMax, ExactMin, ExactSum
from core.periods import period_start
from usage.models import Aggregation, Meter, Period, UsageAggregate, UsageDistinct

KEYS = ("project_id", "subscription_id", "metric_name", "unit", "model_id", "period_start")
COUNTS = (
    "event_count", "error_count", "late_count", "request_tokens", "response_tokens", "cached_tokens",
    "reasoning_tokens", "latency_ms_sum", "latency_count",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """Which sums: of these projects, in ``start <= t < end``. Empty text and None mean all."""

    projects: Sequence[int]
    period: str = Period.DAY
    start: datetime | None = None
    end: datetime | None = None
    metric: str = ""
    unit: str = ""
    model: str = ""
    subscription: int | None = None

    def rows(self, meter: Meter | None = None) -> QuerySet[UsageAggregate]:
        exact: dict[str, Any] = {
            "metric_name": self.metric, "unit": self.unit, "model_id": self.model, "subscription": self.subscription,
            "period_start__gte": self.start, "period_start__lt": self.end,
        }  # fmt: skip
        exact = {name: value for name, value in exact.items() if value not in ("", None)}
        return UsageAggregate.objects.filter(project__in=self.projects, period_type=self.period, meter=meter, **exact)


def series(asked: Asked) -> Any:
    """One row a series and period, its slots added up; newest first. Every key is in the order, so that pages of it
    hold together."""
    sums = {name: Sum(name) for name in COUNTS}
    extremes = {"min_value": ExactMin("min_value"), "max_value": ExactMax("max_value")}
    rows: Any = asked.rows().values(*KEYS).annotate(total_value=ExactSum("total_value"), **extremes, **sums)
    return rows.order_by("-period_start", "project_id", "metric_name", "unit", "model_id", "subscription_id")


def by_period(asked: Asked) -> dict[datetime, dict[str, Any]]:
    """Everything that was asked for, by period."""
    sums = {name: Sum(name) for name in COUNTS}
    rows: Any = asked.rows().values("period_start").annotate(total_value=ExactSum("total_value"), **sums)
    return {row["period_start"]: row for row in rows.order_by("period_start")}


def by_metric(asked: Asked) -> list[dict[str, Any]]:
    """Sums of the whole stretch by metric and unit, the most used first."""
    sums = {name: Sum(name) for name in COUNTS}
    rows: Any = asked.rows().values("metric_name", "unit").annotate(total_value=ExactSum("total_value"), **sums)
    return sorted(rows.order_by("metric_name", "unit"), key=lambda row: (-row["event_count"], row["metric_name"]))


def by_model(asked: Asked) -> list[dict[str, Any]]:
    """Calls of AI models: requests, tokens by class, errors, mean latency in ms (None: nobody measured)."""
    sums = {name: Sum(name) for name in COUNTS}
    rows: Any = asked.rows().exclude(model_id="").values("model_id").annotate(**sums).order_by("model_id")
    return [{**row, "average_latency_ms": mean_latency(row)} for row in rows]


def mean_latency(row: dict[str, Any]) -> Decimal | None:
    """From sum and count, so that it is right whatever was added in which order."""
    count = row["latency_count"]
    return Decimal(row["latency_ms_sum"]) / count if count else None


def metrics_of(projects: Sequence[int]) -> list[tuple[str, str]]:
    """Metric and unit that these projects have months of."""
    rows = UsageAggregate.objects.filter(project__in=projects, period_type=Period.MONTH, meter=None)
    return list(rows.order_by("metric_name", "unit").values_list("metric_name", "unit").distinct())


def meter_values(meter: Meter, asked: Asked) -> dict[datetime, Decimal]:
    """What the meter says, by period: its aggregation over all that was asked for."""
    if meter.aggregation == Aggregation.UNIQUE:
        return _distinct(meter, asked)
    rows = asked.rows(meter if meter.value_path else None).filter(metric_name=meter.metric_name)
    if meter.aggregation == Aggregation.LATEST:
        return _latest(rows)
    how: dict[str, Any] = {
        Aggregation.COUNT: Sum("event_count"), Aggregation.SUM: ExactSum("total_value"),
        Aggregation.MAX: ExactMax("max_value"), Aggregation.MIN: ExactMin("min_value"),
    }  # fmt: skip
    found = rows.values("period_start").annotate(value=how[meter.aggregation]).order_by("period_start")
    return {row["period_start"]: Decimal(row["value"]) for row in found}


def _latest(rows: Iterable[UsageAggregate]) -> dict[datetime, Decimal]:
    found: dict[datetime, tuple[datetime, Decimal]] = {}
    for row in rows:
        now = row.latest_at, row.latest_value
        found[row.period_start] = max(found.get(row.period_start, now), now)
    return {start: value for start, (_at, value) in sorted(found.items())}


def _distinct(meter: Meter, asked: Asked) -> dict[datetime, Decimal]:
    """Hours are stored; a day or month counts the different values of its hours. Its project's zone cuts them."""

    zones = {
        each.pk: each.organisation.zone
        for each in Project.objects.filter(pk__in=asked.projects).select_related("organisation")
    }
    rows = UsageDistinct.objects.filter(meter=meter, project__in=asked.projects)
    if asked.subscription is not None:
        rows = rows.filter(subscription=asked.subscription)
    if asked.start is not None:
        rows = rows.filter(hour__gte=asked.start)
    if asked.end is not None:
        rows = rows.filter(hour__lt=asked.end)
    found: dict[datetime, set[bytes]] = {}
    for project, hour, value in rows.values_list("project_id", "hour", "value_hash").iterator():
        found.setdefault(period_start(asked.period, hour, zones[project]), set()).add(bytes(value))
    return {start: Decimal(len(values)) for start, values in sorted(found.items())}


def latest_event(projects: Sequence[int]) -> datetime | None:
    """Up to when there is usage."""
    rows = UsageAggregate.objects.filter(project__in=projects, period_type=Period.MONTH)
    found: datetime | None = rows.aggregate(last=Max("latest_at"))["last"]
    return found
