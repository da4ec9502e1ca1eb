"""One job: what it held, what it costs, and why it is, or is not, on a receipt."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from billing.models import Receipt
from billing.selectors.documents.explain import explain_job
from billing.selectors.documents.readable import readable
from billing.selectors.jobs import usage
from billing.selectors.jobs.efficiency import cpu_use, memory_use
from billing.selectors.pricing.prices import PriceBook
from billing.views.reach import find_job
from core.context import actor_of
from core.words.wording import decimal_text

DAY, HOUR, MINUTE = 86_400, 3600, 60
MIB_PER_GB = 1024


@require_safe
@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    job = find_job(request, pk)
    book = PriceBook.load()
    row = usage.row_of(job, book)
    explained = explain_job(job, book)
    peak = memory_use(job, explained.record)
    reader = actor_of(request).name
    context: dict[str, Any] = {
        "job": job,
        "row": row,
        "is_mine": job.username == reader,
        "standing": explained.standing,
        "explained": explained,
        "sums": explained.arithmetic if row.status in ("billed", "unbilled") else None,
        "earlier": [each for each in explained.billed_on if not each.is_live],
        "elapsed": duration_text(job.elapsed_seconds),
        "used": duration_text(job.used_cpu_seconds) if job.used_cpu_seconds is not None else "",
        "gpu_types": ", ".join(f"{number} × {kind}" for kind, number in sorted(job.gpu_types.items())),
        "cpu_use": cpu_use(job),
        "memory_use": peak,
        "may_open": row.receipt_id is None
        or readable(Receipt.objects.all(), reader).filter(pk=row.receipt_id).exists(),
        "memory": decimal_text(Decimal(job.mem_mib) / MIB_PER_GB, 0, 2),
        "memory_peak": decimal_text(peak.used / MIB_PER_GB, 0, 2) if peak else "",
    }
    return render(request, "billing/job.html", context)


def duration_text(seconds: int) -> str:
    """``3 days 04:05:06``; ``0:01:40`` below a day."""
    days, rest = divmod(seconds, DAY)
    clock = f"{rest // HOUR:02d}:{rest % HOUR // MINUTE:02d}:{rest % MINUTE:02d}"
    return f"{ngettext('%(n)d day', '%(n)d days', days) % {'n': days}} {clock}" if days else clock
