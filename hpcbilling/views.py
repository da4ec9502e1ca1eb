"""The front page: what do I owe, and is it normal?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.models import Receipt, ReceiptStatus
from billing.selectors import usage
from billing.selectors.prices import PriceBook
from billing.selectors.unbilled import unbilled_sum
from billing.selectors.usage import DayRow, UsageFilter
from core import charts, wording
from core.context import actor_of
from core.periods import month_start, previous_month, today
from usage.models import Job

CHART_DAYS = 30


@dataclass(frozen=True, slots=True)
class Series:
    number: int
    label: str
    total: Decimal


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    username = actor_of(request).name
    now = today()
    book = PriceBook.load()
    has_jobs = Job.objects.filter(username=username).exists()
    context: dict[str, Any] = {"latest_import": usage.latest_import(), "has_jobs": has_jobs}
    if has_jobs:
        this_month, last_month = _months(username, now, book)
        context |= {
            "unbilled": unbilled_sum(username, book),
            "this_month": this_month,
            "last_month": last_month,
            "difference": abs(this_month - last_month),
            "more": this_month > last_month,
            "open": _open_receipts(username),
            **_chart(username, now, book),
        }
    return render(request, "home.html", context)


def _months(username: str, now: date, book: PriceBook) -> tuple[Decimal, Decimal]:
    """Cost of this month so far, and of last month up to the same day."""
    start, before = month_start(now), previous_month(now)
    same_day = min(before + timedelta(days=now.day - 1), start - timedelta(days=1))
    return (
        usage.totals(UsageFilter(username, start, now), book).cost,
        usage.totals(UsageFilter(username, before, same_day), book).cost,
    )


def _open_receipts(username: str) -> dict[str, Any]:
    """Sums are of the site's currency; receipts of another one are counted beside it, never added."""
    waiting = Receipt.objects.filter(user_id=username, status=ReceiptStatus.PENDING)
    ours = Q(currency=settings.PAYMENT_CURRENCY)
    return waiting.aggregate(count=Count("pk"), total=Sum("total", filter=ours), foreign=Count("pk", filter=~ours))


def _chart(username: str, now: date, book: PriceBook) -> dict[str, Any]:
    first = now - timedelta(days=CHART_DAYS - 1)
    rows = {row.day: row for row in usage.by_day(UsageFilter(username, first, now), book)}
    days = [rows.get(day) or DayRow(day, Decimal(0), Decimal(0), Decimal(0)) for day in _days(first, now)]
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
