"""One job: what it held, what it costs, and why it is, or is not, on a receipt."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.models import Tier
from billing.models import CpuBasis, Receipt
from billing.selectors import usage
from billing.selectors.paper import Product
from billing.selectors.prices import PriceBook
from billing.selectors.standing import standings
from billing.selectors.usage import UsageRow
from core.context import actor_of
from core.money import quantize
from core.wording import decimal_text
from usage.models import Job
from usage.raws import read_raw

DAY, HOUR, MINUTE = 86_400, 3600, 60
MIB_PER_GB = 1024


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """hours x rate = cost for each resource, at the receipt's rates or at those in force now."""

    products: list[Product]
    rounding: Decimal
    total: Decimal
    currency: str
    is_used: bool


@require_safe
@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    job = _find(request, pk)
    book = PriceBook.load()
    row = usage.row_of(job, book)
    receipt = Receipt.objects.filter(pk=row.receipt_id).first() if row.receipt_id else None
    context: dict[str, Any] = {
        "job": job,
        "row": row,
        "is_mine": job.username == actor_of(request).name,
        "standing": standings([job], book)[job.pk],
        "sums": _arithmetic(row, receipt, book) if row.status in ("billed", "unbilled") else None,
        "tier": Tier.objects.filter(pk=row.tier).first(),
        "elapsed": duration_text(job.elapsed_seconds),
        "used": duration_text(job.used_cpu_seconds) if job.used_cpu_seconds is not None else "",
        "gpu_types": ", ".join(f"{number} × {kind}" for kind, number in sorted(job.gpu_types.items())),
        "memory": decimal_text(Decimal(job.mem_mib) / MIB_PER_GB, 0, 2),
        "cells": read_raw(job),
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


def _arithmetic(row: UsageRow, receipt: Receipt | None, book: PriceBook) -> Arithmetic:
    if receipt is not None:
        rates = (receipt.rate_cpu, receipt.rate_gpu, receipt.rate_mem)
        currency, basis = receipt.currency, receipt.cpu_basis
    else:
        price = book.price(row.job.username, row.job.account, row.job.end_at)
        rates = (Decimal(price.rates[0]), Decimal(price.rates[1]), Decimal(price.rates[2]))
        currency, basis = "", price.basis
    labels = (_("Core-hours"), _("GPU-hours"), _("GB-hours of memory"))
    hours = (row.cpu_core_hours, row.gpu_hours, row.mem_gb_hours)
    products = [
        Product(label, amount, rate, quantize(amount * rate, 2))
        for label, amount, rate in zip(labels, hours, rates, strict=True)
    ]
    rounding = row.cost - sum((product.cost for product in products), Decimal(0))
    return Arithmetic(products, rounding, row.cost, currency, basis == CpuBasis.USED)
