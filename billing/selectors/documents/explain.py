"""From an amount back to the raw record: everything that made it, recomputed. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Tier
from accounts.tiers import describe_reason
from audit.models import AuditLog
from billing.models import CpuBasis, RateVersion, Receipt, ReceiptItem
from billing.pricing import MIB_SECONDS_PER_GB_HOUR, SECONDS_PER_HOUR, Rates, price
from billing.selectors.documents.explanations import (
    Arithmetic,
    BilledOn,
    Entry,
    JobExplanation,
    RateFacts,
    ReceiptExplanation,
    Term,
    TierFacts,
)
from billing.selectors.documents.genuine import digest_of
from billing.selectors.jobs.standing import standing_of
from billing.selectors.pricing.prices import PriceBook
from billing.tax import Tax, apply
from usage.models import Job
from usage.raws import read_raw

AUDIT_ENTRIES = 50


_JOB = ("job_key", "cluster", "job_id_display", "username", "account", "partition", "qos", "job_name", "state",
        "submit_at", "start_at", "end_at")  # fmt: skip
_RESOURCES = ("cpus", "gpus", "gpu_types", "mem_mib", "nodes", "elapsed_seconds", "overlap_seconds",
              "cpu_core_seconds", "gpu_seconds", "mem_mib_seconds", "used_cpu_seconds", "billing_tres")  # fmt: skip


def explain_job(job: Job, book: PriceBook | None = None) -> JobExplanation:
    """``job`` with its import run. Priced by its live receipt, else by the site's policy now."""
    book = book or PriceBook.load()
    items = list(ReceiptItem.objects.filter(job_key=job.job_key).select_related("receipt__rate_version").order_by("id"))
    live = next((item for item in items if item.is_live), None)
    receipt = live.receipt if live else None
    tier, rates = _of_receipt(receipt, job.account) if receipt else _of_book(job, book)
    arithmetic = _arithmetic(job, rates, receipt.currency if receipt else settings.PAYMENT_CURRENCY) if rates else None
    run = job.import_run
    return JobExplanation(
        job={name: getattr(job, name) for name in _JOB},
        record=read_raw(job),
        imported={"run": run.pk, "source": run.source, "file": run.file_name, "file_sha256": run.file_sha256,
                  "at": run.started_at, "first_seen": job.created_at, "last_change": job.updated_at},
        resources={name: getattr(job, name) for name in _RESOURCES},
        standing=standing_of(job, book),
        tier=tier,
        rates=rates,
        arithmetic=arithmetic,
        billed_on=[_billed_on(item, job) for item in items],
        audit=_audit(_entries_of(job, items, rates)),
    )  # fmt: skip


def explain_receipt(receipt: Receipt) -> ReceiptExplanation:
    """Header, rates, tax and totals recomputed from the lines, and the lines from their jobs."""
    tier, rates = _of_receipt(receipt)
    tax = Tax(receipt.tax_label, receipt.tax_rate, receipt.tax_inclusive)
    lines_total, count, differing = Decimal(0), 0, []
    for item, job in _lines(receipt):
        lines_total += item.cost
        count += 1
        if job is None or not _fits(item, job, receipt):
            differing.append(item.job_key)
    sums = apply(tax, lines_total)
    stored = (receipt.subtotal, receipt.tax_amount, receipt.total)
    digest = digest_of(receipt)
    return ReceiptExplanation(
        receipt={"id": receipt.pk, "number": receipt.document_number, "issued_on": receipt.issued_on,
                 "username": receipt.username, "start": receipt.start, "end": receipt.end, "status": receipt.status,
                 "method": receipt.method, "tx_ref": receipt.tx_ref, "paid_at": receipt.paid_at,
                 "void_reason": receipt.void_reason, "adjusts_month": receipt.adjusts_month,
                 "created_by": receipt.created_by, "created_at": receipt.created_at, "seller": receipt.seller,
                 "note": receipt.note},
        tier=tier,
        rates=rates,
        lines=count,
        lines_total=lines_total,
        tax={"label": tax.label, "rate": tax.rate, "inclusive": tax.inclusive, "amount": receipt.tax_amount},
        subtotal=receipt.subtotal,
        total=receipt.total,
        currency=receipt.currency,
        recomputed=not differing and stored == (sums.subtotal, sums.tax, sums.total),
        digest=receipt.digest,
        unchanged=digest == receipt.digest,
        differing_jobs=differing,
        audit=_audit(_entries_of(None, [], rates) | Q(entity_type="receipt", entity_id=str(receipt.pk))),
    )  # fmt: skip


def _lines(receipt: Receipt, chunk: int = 2000) -> Iterator[tuple[ReceiptItem, Job | None]]:
    """Every line with its job, in bounded chunks. A voided receipt's jobs may have changed since: they are left out."""
    items: list[ReceiptItem] = []
    for item in receipt.items.order_by("id").iterator(chunk_size=chunk):
        items.append(item)
        if len(items) == chunk:
            yield from _with_jobs(items)
            items = []
    yield from _with_jobs(items)


def _with_jobs(items: list[ReceiptItem]) -> Iterator[tuple[ReceiptItem, Job | None]]:
    jobs = {job.job_key: job for job in Job.objects.filter(job_key__in=[item.job_key for item in items])}
    for item in items:
        yield item, jobs.get(item.job_key)


def _fits(item: ReceiptItem, job: Job, receipt: Receipt) -> bool:
    """Whether the line is what the record gives. A void receipt's job is free to change: nothing to hold it to."""
    if not item.is_live:
        return True
    basis = CpuBasis(receipt.cpu_basis)
    found = price(
        cpu_seconds=_cpu_seconds(job, basis),
        gpu_seconds=job.gpu_seconds,
        mem_mib_seconds=job.mem_mib_seconds,
        rates=Rates(receipt.rate_cpu, receipt.rate_gpu, receipt.rate_mem),
    )
    return (found.cpu_core_hours, found.gpu_hours, found.mem_gb_hours, found.cost) == (
        item.cpu_core_hours,
        item.gpu_hours,
        item.mem_gb_hours,
        item.cost,
    )


def _billed_on(item: ReceiptItem, job: Job) -> BilledOn:
    receipt = item.receipt
    return BilledOn(
        receipt=receipt.pk, number=str(receipt), status=receipt.status, cpu_core_hours=item.cpu_core_hours,
        gpu_hours=item.gpu_hours, mem_gb_hours=item.mem_gb_hours, cost=item.cost, is_live=item.is_live,
        recomputed=_fits(item, job, receipt),
    )  # fmt: skip


def _of_receipt(receipt: Receipt, account: str | None = None) -> tuple[TierFacts, RateFacts]:
    """As issued: for the whole receipt, or for the jobs of one Slurm account on it."""
    reasons = receipt.tier_reason.splitlines() if account is None else receipt.tier_reasons_of(account)
    words = [describe_reason(reason) for reason in reasons]
    tier = TierFacts(receipt.pricing_tier_id, receipt.tier_label, reasons, words)
    return tier, _rates(receipt.rate_version, receipt.price_at, receipt.rates_locked_at)


def _of_book(job: Job, book: PriceBook) -> tuple[TierFacts, RateFacts | None]:
    found = book.price(job.username, job.account, job.end_at)
    known = [found.version.tier] if found.version else Tier.objects.filter(pk=found.tier)
    label = next((tier.label for tier in known), found.tier)
    tier = TierFacts(found.tier, label, [found.reason], [describe_reason(found.reason)])
    return tier, _rates(found.version, book.price_at, None) if found.version else None


def _rates(version: RateVersion, price_at: str, locked_at: datetime | None) -> RateFacts:
    later = RateVersion.objects.filter(tier=version.tier_id, effective_at__gt=version.effective_at)
    until = later.order_by("effective_at").values_list("effective_at", flat=True).first()
    return RateFacts(
        version=version.pk, effective_at=version.effective_at, until=until, cpu=version.cpu, gpu=version.gpu,
        mem=version.mem, cpu_basis=version.cpu_basis, set_by=version.set_by, note=version.note, price_at=price_at,
        locked_at=locked_at,
    )  # fmt: skip


def _cpu_seconds(job: Job, basis: str) -> int:
    return (job.used_cpu_seconds or 0) if basis == CpuBasis.USED else job.cpu_core_seconds


def _arithmetic(job: Job, rates: RateFacts, currency: str) -> Arithmetic:
    seconds = (_cpu_seconds(job, rates.cpu_basis), job.gpu_seconds, job.mem_mib_seconds)
    item = price(
        cpu_seconds=seconds[0], gpu_seconds=seconds[1], mem_mib_seconds=seconds[2],
        rates=Rates(rates.cpu, rates.gpu, rates.mem),
    )  # fmt: skip
    parts = zip(
        ("cpu", "gpu", "mem"),
        (_("Core-hours"), _("GPU-hours"), _("GB-hours of memory")),
        seconds,
        (SECONDS_PER_HOUR, SECONDS_PER_HOUR, MIB_SECONDS_PER_GB_HOUR),
        (item.cpu_core_hours, item.gpu_hours, item.mem_gb_hours),
        (rates.cpu, rates.gpu, rates.mem),
        strict=True,
    )
    terms = [
        Term(resource, label, amount, divisor, hours, rate, hours * rate)
        for resource, label, amount, divisor, hours, rate in parts
    ]
    exact = sum((term.product for term in terms), Decimal(0))
    return Arithmetic(terms, exact, item.cost - exact, item.cost, currency)


def _entries_of(job: Job | None, items: list[ReceiptItem], rates: RateFacts | None) -> Q:
    """Audit entries that belong here: of the receipts, of the rate version, of decisions about the job."""
    found = Q(entity_type="receipt", entity_id__in=[str(item.receipt_id) for item in items])
    if rates is not None:
        found |= Q(entity_type="rateversion", entity_id=str(rates.version))
    if job is not None:
        found |= Q(entity_type="job", entity_id=str(job.pk))
        changed = [str(pk) for pk in job.adjustment_set.values_list("pk", flat=True)]
        found |= Q(entity_type="adjustment", entity_id__in=changed)
    return found


def _audit(which: Q) -> list[Entry]:
    rows = AuditLog.objects.filter(which).order_by("id")[:AUDIT_ENTRIES]
    return [Entry(row.pk, row.ts, row.actor, row.action, row.action_label, row.hash) for row in rows]
