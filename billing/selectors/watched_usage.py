"""What metered usage costs in many windows at once, for the rules that watch cost. Reads only.

A window is priced by the prices of the month in which it begins, and its steps begin anew, as those of an invoice do
with each month: of a month it is what the invoice's lines of usage come to, before minimum charges, discounts and tax.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Q, Sum

from billing.invoicing.meters import Metered, metered
from billing.invoicing.months import Month
from billing.invoicing.usage import SUMS, Series, UsageLines
from billing.models import LineKind
from billing.selectors.pricing.exchange import MissingExchangeRate, RateBook
from billing.selectors.pricing.usage_prices import PriceTable, price_tables
from core.database.decimals import ExactSum
from core.periods import month_start
from usage.alerts.measures import Ask
from usage.models import AlertPeriod, Period, UsageAggregate

Key = tuple[int, str, datetime]  # organisation, kind of aggregate, where the window begins


@dataclass(slots=True)
class UsageCost:
    """``amount`` in the site's currency; ``unpriced`` metrics have no price (or no exchange rate) and are not in it."""

    amount: Decimal = Decimal(0)
    unpriced: list[str] = field(default_factory=list)


def usage_costs_of(asks: Mapping[int, Ask], moment: datetime) -> dict[int, UsageCost]:
    """By ask; none for Slurm users. The statements do not grow with the windows, but with the months that they lie in.

    Usage that a meter prices counts in windows of a month.
    """
    mine = {number: ask for number, ask in asks.items() if ask.rule.organisation is not None}
    if not mine:
        return {}
    series, book = _series(mine), RateBook.load(moment)
    by_month: dict[date, list[int]] = defaultdict(list)
    for number, ask in mine.items():
        by_month[month_start(ask.window.day)].append(number)
    found: dict[int, UsageCost] = {}
    for first, numbers in by_month.items():
        months = {_organisation(mine[number]): _month(mine[number], first) for number in numbers}
        tables = price_tables(months, first)
        monthly = [_organisation(mine[n]) for n in numbers if mine[n].window.period == AlertPeriod.MONTH]
        meters = metered([months[pk] for pk in dict.fromkeys(monthly)], tables) if monthly else Metered()
        for number in numbers:
            ask = mine[number]
            pk = _organisation(ask)
            rows = series.get(number, [])
            if ask.window.period == AlertPeriod.MONTH:
                rows = [*rows, *(each for each in meters.series.get(pk, ()) if _fits(ask, each.project_id))]
            found[number] = _cost(months[pk], tables[pk], book, meters.metrics.get(pk, frozenset()), rows)
    return found


def _cost(
    month: Month, table: PriceTable, book: RateBook, by_meter: frozenset[str], rows: list[Series]
) -> UsageCost:  # fmt: skip
    lines = UsageLines(month, table, book, by_meter).build(rows)
    amount = sum((line.total for line in lines.lines if line.kind == LineKind.USAGE), Decimal(0))
    cost = UsageCost(unpriced=sorted({each["metric"] or each["code"] for each in lines.problems}))
    try:
        cost.amount = book.convert(amount, month.currency, settings.PAYMENT_CURRENCY).amount
    except MissingExchangeRate:
        cost.unpriced.append(month.currency)
    return cost


def _series(asks: Mapping[int, Ask]) -> dict[int, list[Series]]:
    """One statement: the sums of all windows, handed to the asks that they are in."""
    condition = Q(pk__in=[])
    for ask in asks.values():
        condition |= Q(
            organisation=ask.rule.organisation_id, period_type=_kind(ask), period_start__gte=ask.window.start,
            period_start__lt=ask.window.end,
        )  # fmt: skip
    keys = ("organisation_id", "project_id", "metric_name", "unit", "model_id", "period_type", "period_start")
    sums: dict[str, Any] = {"total_value": ExactSum("total_value")}
    sums |= {name: Sum(name) for name in SUMS if name != "total_value"}
    rows = UsageAggregate.objects.filter(condition, meter=None).values(*keys).annotate(**sums).order_by(*keys)
    added: dict[tuple[Any, ...], dict[str, Decimal]] = {}
    for row in rows:
        for number, ask in asks.items():
            if not _holds(ask, row):
                continue
            key = (number, *(row[name] for name in keys[:5]))
            total = added.setdefault(key, dict.fromkeys(SUMS, Decimal(0)))
            for name in SUMS:
                total[name] += Decimal(row[name] or 0)
    found: dict[int, list[Series]] = defaultdict(list)
    for (number, organisation, project, metric, unit, model), total in added.items():
        found[number].append(Series(organisation, project, metric, unit, model, total))
    return found


def _month(ask: Ask, first: date) -> Month:
    organisation = ask.rule.organisation
    assert organisation is not None  # noqa: S101 - only these are asked about
    return Month(organisation, first)


def _organisation(ask: Ask) -> int:
    return int(ask.rule.organisation_id or 0)


def _kind(ask: Ask) -> str:
    return str(Period.DAY if ask.window.period == AlertPeriod.WEEK else ask.window.period)


def _holds(ask: Ask, row: Mapping[str, Any]) -> bool:
    within = ask.window.start <= row["period_start"] < ask.window.end and row["period_type"] == _kind(ask)
    return within and row["organisation_id"] == ask.rule.organisation_id and _fits(ask, row["project_id"])


def _fits(ask: Ask, project: int) -> bool:
    return ask.rule.project_id is None or ask.rule.project_id == project
