"""Usage that is priced by a meter: what its aggregation makes of a project's month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum

from billing.invoicing.months import Month
from billing.invoicing.usage import Series, month_rows
from billing.selectors.pricing.usage_prices import PriceTable
from core.database.decimals import ExactMax, ExactMin, ExactSum
from usage.models import Aggregation, Meter, UsageDistinct


@dataclass(frozen=True, slots=True)
class Metered:
    """``series`` by organisation; ``metrics`` are those that a priced meter reads, by organisation."""

    series: dict[int, list[Series]] = field(default_factory=dict)
    metrics: dict[int, frozenset[str]] = field(default_factory=dict)


def metered(months: Sequence[Month], tables: Mapping[int, PriceTable]) -> Metered:
    """What priced meters say of these months: a statement for each such meter, none where there is none."""
    priced = {pk: {key[0] for plans in (table.own, table.general) for key in plans} for pk, table in tables.items()}
    codes = set().union(*priced.values()) if priced else set()
    # a meter that only adds up what its metric of the same name is says nothing of its own
    meters = [
        meter
        for meter in Meter.objects.filter(code__in=codes).order_by("code")
        if meter.code != meter.metric_name or meter.is_derived or meter.aggregation != Aggregation.SUM
    ] if codes else []  # fmt: skip
    found: dict[int, list[Series]] = defaultdict(list)
    metrics: dict[int, set[str]] = defaultdict(set)
    for meter in meters:
        mine = [month for month in months if meter.code in priced[month.organisation.pk]]
        for month in mine:
            metrics[month.organisation.pk].add(meter.metric_name)
        for organisation, project, value in _values(meter, mine):
            sums = {"total_value": value}
            found[organisation].append(
                Series(organisation, project, meter.metric_name, meter.unit, "", sums, meter.code)
            )
    return Metered(found, {pk: frozenset(names) for pk, names in metrics.items()})


def _values(meter: Meter, months: Sequence[Month]) -> list[tuple[int, int, Decimal]]:
    """Organisation, project and value."""
    if meter.aggregation == Aggregation.UNIQUE:
        return _distinct(meter, months)
    rows = month_rows(months).filter(metric_name=meter.metric_name, meter=meter if meter.value_path else None)
    keys = ("organisation_id", "project_id")
    if meter.aggregation == Aggregation.LATEST:
        return _latest(rows)
    how: dict[str, Any] = {
        Aggregation.COUNT: Sum("event_count"), Aggregation.SUM: ExactSum("total_value"),
        Aggregation.MAX: ExactMax("max_value"), Aggregation.MIN: ExactMin("min_value"),
    }  # fmt: skip
    values = rows.values(*keys).annotate(value=how[meter.aggregation]).order_by(*keys)
    return [(row["organisation_id"], row["project_id"], Decimal(row["value"])) for row in values]


def _latest(rows: Any) -> list[tuple[int, int, Decimal]]:
    found: dict[tuple[int, int], tuple[Any, Decimal]] = {}
    for row in rows.order_by("organisation_id", "project_id"):
        key, now = (row.organisation_id, row.project_id), (row.latest_at, row.latest_value)
        found[key] = max(found.get(key, now), now)
    return [(*key, value) for key, (_at, value) in found.items()]


def _distinct(meter: Meter, months: Sequence[Month]) -> list[tuple[int, int, Decimal]]:
    condition = Q(pk__in=[])
    for month in months:
        condition |= Q(organisation=month.organisation.pk, hour__gte=month.start, hour__lt=month.end)
    rows = UsageDistinct.objects.filter(condition, meter=meter).values("organisation_id", "project_id")
    counted = rows.annotate(value=Count("value_hash", distinct=True)).order_by("organisation_id", "project_id")
    return [(row["organisation_id"], row["project_id"], Decimal(row["value"])) for row in counted]
