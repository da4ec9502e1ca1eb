"""The front page: what do I owe, and is it normal?"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.models import Receipt
from billing.selectors import usage
from billing.selectors.prices import PriceBook
from billing.selectors.unbilled import unbilled_sum
from billing.selectors.usage import UsageFilter
from billing.views.day_chart import day_chart
from billing.views.figures import month_figures, open_receipts
from core.context import actor_of
from core.periods import today
from usage.models import Job


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    username = actor_of(request).name
    now = today()
    book = PriceBook.load()
    has_jobs = Job.objects.filter(username=username).exists()
    context: dict[str, Any] = {"latest_import": usage.latest_import(), "has_jobs": has_jobs}
    if has_jobs:
        mine = UsageFilter(username)
        context |= {
            "unbilled": unbilled_sum(username, book),
            "open": open_receipts(Receipt.objects.filter(user_id=username)),
            **month_figures(mine, now, book),
            **day_chart(mine, now, book),
        }
    return render(request, "home.html", context)
