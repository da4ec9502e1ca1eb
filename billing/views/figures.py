"""The figures above a page: this month against the last, and what waits for payment."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum

from billing.models import Receipt, ReceiptStatus
from billing.selectors import usage
from billing.selectors.prices import PriceBook
from billing.selectors.usage import UsageFilter
from core.periods import month_start, previous_month


def month_figures(flt: UsageFilter, now: date, book: PriceBook) -> dict[str, Any]:
    """Cost of this month so far, and of last month up to the same day."""
    start, before = month_start(now), previous_month(now)
    same_day = min(before + timedelta(days=now.day - 1), start - timedelta(days=1))
    this_month = usage.totals(replace(flt, start=start, end=now), book).cost
    last_month = usage.totals(replace(flt, start=before, end=same_day), book).cost
    return {
        "this_month": this_month,
        "last_month": last_month,
        "difference": abs(this_month - last_month),
        "more": this_month > last_month,
    }


def open_receipts(receipts: QuerySet[Receipt]) -> dict[str, Any]:
    """Sums are of the site's currency; receipts of another one are counted beside it, never added."""
    waiting = receipts.filter(status=ReceiptStatus.PENDING)
    ours = Q(currency=settings.PAYMENT_CURRENCY)
    return waiting.aggregate(count=Count("pk"), total=Sum("total", filter=ours), foreign=Count("pk", filter=~ours))
