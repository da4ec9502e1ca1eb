"""The figures above a page: this month against the last, and what waits for payment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum

from billing.models import Receipt, ReceiptStatus
from billing.selectors.jobs.usage import DayRow
from core.periods import month_start, previous_month


def month_figures(days: Sequence[DayRow], now: date) -> dict[str, Any]:
    """Cost of this month so far, and of last month up to the same day."""
    start, before = month_start(now), previous_month(now)
    same_day = min(before + timedelta(days=now.day - 1), start - timedelta(days=1))
    this_month = sum((row.cost for row in days if start <= row.day <= now), Decimal(0))
    last_month = sum((row.cost for row in days if before <= row.day <= same_day), Decimal(0))
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
