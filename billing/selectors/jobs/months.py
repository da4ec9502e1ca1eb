"""Which months are closed."""

from __future__ import annotations

from datetime import date, datetime

from django.db.models import Q
from django.utils import timezone

from billing.models import ClosedMonth, Receipt
from core.periods import Window, month_start, month_window
from usage.models import Job


def closed_windows() -> list[Window]:
    """The closed months as instants, neighbours joined, oldest first."""
    joined: list[Window] = []
    for month in ClosedMonth.objects.order_by("month").values_list("month", flat=True):
        window = month_window(month)
        if joined and joined[-1].end == window.start:
            joined[-1] = Window(joined[-1].start, window.end)
        else:
            joined.append(window)
    return joined


def in_closed_month() -> Q:
    """Jobs whose end lies in a closed month."""
    condition = Q(pk__in=[])
    for window in closed_windows():
        condition |= Q(end_at__gte=window.start, end_at__lt=window.end)
    return condition


def closed_months_of(receipt: Receipt) -> list[ClosedMonth]:
    """The closed months in which jobs of this receipt ended, oldest first."""
    jobs = Job.objects.filter(claimed_by=receipt.claim)
    found = []
    for month in ClosedMonth.objects.filter(month__gte=month_start(receipt.start), month__lte=receipt.end):
        window = month_window(month.month)
        if jobs.filter(end_at__gte=window.start, end_at__lt=window.end).exists():
            found.append(month)
    return sorted(found, key=lambda month: month.month)


def closed_months_at(*moments: datetime | None) -> list[ClosedMonth]:
    """The closed months in which these moments lie, oldest first."""
    zone = timezone.get_default_timezone()
    months = {month_start(timezone.localdate(moment, zone)) for moment in moments if moment is not None}
    return list(ClosedMonth.objects.filter(month__in=months).order_by("month"))


def receipts_of(month: date) -> int:
    """How many documents hold jobs that ended in this month."""
    window = month_window(month)
    jobs = Job.objects.filter(end_at__gte=window.start, end_at__lt=window.end).exclude(claimed_by="")
    return jobs.order_by().values("claimed_by").distinct().count()


def find(month: date) -> ClosedMonth | None:
    return ClosedMonth.objects.filter(month=month).first()
