"""Closed months stay closed."""

from __future__ import annotations

from billing.models import AdjustmentKind, ClosedMonth, Receipt
from core.periods import month_window
from hpcbilling.books.rows import SHOWN
from usage.models import Job


def closed_months() -> list[str]:
    """After a month was closed, only adjustments put its jobs on a receipt, or took them off."""
    wrong = []
    for month in ClosedMonth.objects.all():
        window = month_window(month.month)
        jobs = Job.objects.filter(end_at__gte=window.start, end_at__lt=window.end)
        late = Receipt.objects.filter(created_at__gt=month.closed_at, items__job_key__in=jobs.values("job_key"))
        late = late.exclude(adjustments__closed_month=month).distinct()
        wrong += [f"receipt {receipt} bills jobs of {month}, which was closed before it" for receipt in late[:SHOWN]]
        lost = Receipt.objects.filter(
            voided_at__gt=month.closed_at, created_at__lte=month.closed_at,
            items__job_key__in=jobs.values("job_key"),
        ).exclude(adjustments__closed_month=month, adjustments__kind=AdjustmentKind.VOID).distinct()  # fmt: skip
        wrong += [f"receipt {receipt} of {month} was voided after the close" for receipt in lost[:SHOWN]]
    return wrong
