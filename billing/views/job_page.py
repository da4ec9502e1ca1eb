"""One job: what it held, what it costs, and why it is, or is not, on a receipt."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from billing.selectors import usage
from billing.selectors.explain import explain_job
from billing.selectors.prices import PriceBook
from core.context import actor_of
from core.wording import decimal_text
from usage.models import Job

DAY, HOUR, MINUTE = 86_400, 3600, 60
MIB_PER_GB = 1024


@require_safe
@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    job = _find(request, pk)
    book = PriceBook.load()
    row = usage.row_of(job, book)
    explained = explain_job(job, book)
    context: dict[str, Any] = {
        "job": job,
        "row": row,
        "is_mine": job.username == actor_of(request).name,
        "standing": explained.standing,
        "explained": explained,
        "sums": explained.arithmetic if row.status in ("billed", "unbilled") else None,
        "earlier": [each for each in explained.billed_on if not each.is_live],
        "elapsed": duration_text(job.elapsed_seconds),
        "used": duration_text(job.used_cpu_seconds) if job.used_cpu_seconds is not None else "",
        "gpu_types": ", ".join(f"{number} × {kind}" for kind, number in sorted(job.gpu_types.items())),
        "memory": decimal_text(Decimal(job.mem_mib) / MIB_PER_GB, 0, 2),
    }
    return render(request, "billing/job.html", context)


def _find(request: HttpRequest, pk: int) -> Job:
    """The job, when this user may see it. Somebody else's is as absent as one that does not exist."""
    jobs = Job.objects.select_related("import_run")
    if not (request.user.is_staff and request.user.has_perm("usage.view_job")):
        jobs = jobs.filter(username=actor_of(request).name)
    job = jobs.filter(pk=pk).first()
    if job is None:
        raise Http404(_("There is no such job."))
    return job


def duration_text(seconds: int) -> str:
    """``3 days 04:05:06``; ``0:01:40`` below a day."""
    days, rest = divmod(seconds, DAY)
    clock = f"{rest // HOUR:02d}:{rest % HOUR // MINUTE:02d}:{rest % MINUTE:02d}"
    return f"{ngettext('%(n)d day', '%(n)d days', days) % {'n': days}} {clock}" if days else clock
