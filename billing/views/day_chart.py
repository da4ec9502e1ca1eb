"""Cost by day and resource: bars, the table behind them and the sentence that says what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from billing.selectors.jobs.usage import DayRow, UsageFilter
from core import charts
from core.periods import previous_month
from core.words import wording

CHART_DAYS = 30


@dataclass(frozen=True, slots=True)
class Series:
    number: int
    label: str
    total: Decimal


def recent(flt: UsageFilter, now: date) -> UsageFilter:
    """The jobs of this filter that the chart and the figures of the month are made of."""
    return replace(flt, start=min(first_day(now), previous_month(now)), end=now)


def first_day(now: date) -> date:
    return now - timedelta(days=CHART_DAYS - 1)


def day_chart(found: Sequence[DayRow], now: date) -> dict[str, Any]:
    """What ``parts/days.html`` shows: the last 30 days, each with its bar, also where it has no cost."""
    rows = {row.day: row for row in found}
    days = [rows.get(day) or DayRow(day) for day in _days(first_day(now), now)]
    series = [
        Series(1, _("CPU"), sum((row.cpu for row in days), Decimal(0))),
        Series(2, _("GPU"), sum((row.gpu for row in days), Decimal(0))),
        Series(3, _("Memory"), sum((row.mem for row in days), Decimal(0))),
    ]
    bars = [charts.Bar(_bar_label(row), (row.cpu, row.gpu, row.mem)) for row in days]
    chart = charts.bar_chart(
        bars,
        title=_("Cost by day, last %(days)s days") % {"days": CHART_DAYS},
        description=_("One bar a day, made of CPU, GPU and memory. The table below holds the same numbers."),
    )
    return {
        "chart": chart,
        "series": series,
        "chart_total": sum((part.total for part in series), Decimal(0)),
        "chart_days": [row for row in days if row.cpu or row.gpu or row.mem],
        "chart_edges": [days[0].day, days[len(days) // 2].day, days[-1].day],
        "finding": _finding(days, series),
    }


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _bar_label(row: DayRow) -> str:
    total = wording.money_text(row.cpu + row.gpu + row.mem, settings.PAYMENT_CURRENCY)
    return f"{wording.day_text(row.day)}: {total}"


def _finding(days: list[DayRow], series: list[Series]) -> str:
    """The sentence above the chart: what the bars say."""
    total = sum((part.total for part in series), Decimal(0))
    if not total:
        return _("No cost in the last 30 days")
    biggest = max(series, key=lambda part: part.total)
    share = int(biggest.total * 100 / total)
    peak = max(days, key=lambda row: row.cpu + row.gpu + row.mem)
    return _("%(resource)s makes %(share)s%% of the cost; the dearest day was %(day)s") % {
        "resource": biggest.label,
        "share": share,
        "day": wording.short_day_text(peak.day),
    }
