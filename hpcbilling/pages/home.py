"""The front page: what do I owe, and is it normal?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.models import Receipt
from billing.selectors.jobs import usage
from billing.selectors.jobs.billable import OffLimits, candidates_of
from billing.selectors.jobs.unbilled import sum_of
from billing.selectors.jobs.usage import UsageFilter, pairs_of
from billing.selectors.pricing.prices import PriceBook
from billing.views.day_chart import day_chart, recent
from billing.views.figures import month_figures, open_receipts
from core.context import actor_of
from core.periods import today
from usage.models import Job
from usage.selectors.budgets import budget_of
from usage.selectors.freshness import data_until


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    username = actor_of(request).name
    now, book = today(), PriceBook.load()
    recently = recent(UsageFilter(username), now)
    candidates = candidates_of(username, None, None, off=OffLimits.load(book))
    pairs = pairs_of(recently.jobs(), candidates)
    has_jobs = bool(pairs) or Job.objects.filter(username=username).exists()
    context: dict[str, Any] = {"latest_import": data_until(), "has_jobs": has_jobs}
    if has_jobs:
        days = usage.by_day(recently, book, pairs)
        month = month_figures(days, now)
        context |= {
            "budget": _budget(username, month["this_month"]),
            "unbilled": sum_of(candidates, book, pairs),
            "open": open_receipts(Receipt.objects.filter(user_id=username)),
            **month,
            **day_chart(days, now),
        }
    return render(request, "home.html", context)


def _budget(username: str, spent: Decimal) -> dict[str, Any] | None:
    """The month's budget and how much of it is gone, where somebody has set one."""
    rule = budget_of(username)
    if rule is None or not rule.threshold_value:
        return None
    percent = int(min(spent * 100 / rule.threshold_value, Decimal(9999)))
    return {"rule": rule, "sum": rule.threshold_value, "percent": percent, "reached": spent >= rule.threshold_value}
