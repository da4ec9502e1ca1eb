"""Closed months stay closed."""

from __future__ import annotations

from django.db.models import Count, Sum

from billing.models import AdjustmentKind, ClosedMonth, Receipt
from billing.services.months import USAGE
from core.periods import month_window
from hpcbilling.books.rows import SHOWN
from usage.models import Job
from usage.models.jobs import JobQuerySet


def closed_months() -> list[str]:
    """After a month was closed, only adjustments put its jobs on a receipt, took them off, or changed them."""
    wrong = []
    for month in ClosedMonth.objects.all():
        window = month_window(month.month)
        jobs = Job.objects.filter(end_at__gte=window.start, end_at__lt=window.end)
        late = Receipt.objects.filter(created_at__gt=month.closed_at, items__job_key__in=jobs.values("job_key"))
        late = late.exclude(adjustments__closed_month=month).distinct()
        wrong += [
            f"receipt {receipt} bills jobs of {month.code}, which was closed before it" for receipt in late[:SHOWN]
        ]
        lost = Receipt.objects.filter(
            voided_at__gt=month.closed_at, created_at__lte=month.closed_at,
            items__job_key__in=jobs.values("job_key"),
        ).exclude(adjustments__closed_month=month, adjustments__kind=AdjustmentKind.VOID).distinct()  # fmt: skip
        wrong += [f"receipt {receipt} of {month.code} was voided after the close" for receipt in lost[:SHOWN]]
        wrong += _changed_since_close(month, jobs.filter(created_at__lte=month.closed_at))
    return wrong


def _changed_since_close(month: ClosedMonth, jobs: JobQuerySet) -> list[str]:
    """``jobs``, which were known when the month was closed, against its figures and corrections.

    The figures are sums: they show that something changed. Which job it was shows by an
    import that began after the close and wrote it.
    """
    corrected = month.adjustments.filter(kind=AdjustmentKind.CORRECTION)
    written = jobs.filter(import_run__started_at__gt=month.closed_at).exclude(pk__in=corrected.values("change__job"))
    keys = written.order_by("pk").values_list("job_key", flat=True)[:SHOWN]
    wrong = [f"job {key} of {month.code} was changed after the close" for key in keys]
    if not {"usage", "quarantined"} <= month.figures.keys():
        return wrong
    deltas = list(corrected.filter(change__job__created_at__lte=month.closed_at).values_list("usage", flat=True))
    now = jobs.aggregate(jobs=Count("id"), **{name: Sum(name) for name in USAGE})
    for name, number in now.items():
        then = int(month.figures["usage"][name]) - int(month.figures["quarantined"][name])
        then += sum(int(delta.get(name, 0)) for delta in deltas)
        if then != int(number or 0):
            wrong.append(
                f"{month.code} was closed, and corrected, with {name} {then}; the same jobs have {number or 0} now"
            )
    return wrong
