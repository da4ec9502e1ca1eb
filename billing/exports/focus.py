"""The FOCUS data set: receipts issued in a period, by the calendar month of the site in which they were issued.

A receipt that was voided in the month of its issue is left out: it was never payable. One that was voided
later stays as it was charged, and rows of the class Correction take it back in the month of the voiding,
so that a month that was handed over once reads the same ever after. Usage that no receipt holds comes on
request only, without an invoice id, at the prices of today.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from billing import pricing
from billing.exports.focus_rows import COLUMNS, Bill, Line, Price, TaxOf, line_rows, reversal_rows, tax_rows
from billing.exports.known import KNOWN
from billing.exports.receipts import jobs_of, receipts_of
from billing.models import CpuBasis, Receipt, ReceiptItem, ReceiptStatus
from billing.selectors.jobs.billable import invoiced_accounts
from billing.selectors.pricing.prices import PriceBook
from core.exports import CHUNK, Export, ExportFilter, Row, chunks
from core.periods import days_window, month_start, month_window
from usage.models import Job

JOB_FIELDS = ("job_name", "account", "cluster", "partition", "qos", "start_at", "end_at", "elapsed_seconds")


def _rows(flt: ExportFilter) -> Iterator[Row]:
    yield from _issued(flt)
    yield from _voided_later(flt)
    if flt.unbilled:
        yield from _unbilled(flt)


def _issued(flt: ExportFilter) -> Iterator[Row]:
    receipts = receipts_of(flt).filter(**flt.day_span("issued_on"))
    items = ReceiptItem.objects.filter(receipt__in=receipts).order_by("receipt_id", "pk")
    found = items.select_related("receipt__rate_version").iterator(chunk_size=CHUNK)
    last: Receipt | None = None
    for chunk in chunks(found):
        jobs = jobs_of((item.job_key for item in chunk), JOB_FIELDS)
        for _receipt_id, group in groupby(chunk, lambda item: item.receipt_id):
            lines = list(group)
            receipt = lines[0].receipt
            if last and last.pk != receipt.pk:
                yield from _tax_of(last)
            last = receipt
            yield from _lines(receipt, lines, jobs)
    if last:
        yield from _tax_of(last)


def _lines(receipt: Receipt, lines: list[ReceiptItem], jobs: dict[str, tuple[Any, ...]]) -> Iterator[Row]:
    if _was_never_payable(receipt):
        return
    bill, price = _bill(receipt, receipt.issued_on), _price(receipt)
    for item in lines:
        yield from line_rows(bill, price, _line(receipt, item, jobs.get(item.job_key)))


def _tax_of(receipt: Receipt) -> Iterator[Row]:
    if not _was_never_payable(receipt):
        yield from tax_rows(_bill(receipt, receipt.issued_on), _tax(receipt))


def _voided_later(flt: ExportFilter) -> Iterator[Row]:
    voided: QuerySet[Receipt] = receipts_of(flt).filter(status=ReceiptStatus.VOID, **flt.span("voided_at"))
    for receipt in voided.order_by("voided_at", "pk").iterator(chunk_size=CHUNK):
        if not _was_never_payable(receipt):
            yield from reversal_rows(_bill(receipt, _voided_on(receipt)), _tax(receipt), receipt.subtotal)


def _voided_on(receipt: Receipt) -> date:
    return timezone.localdate(receipt.voided_at, timezone.get_default_timezone())


def _was_never_payable(receipt: Receipt) -> bool:
    """Voided in the month in which it was issued."""
    if receipt.status != ReceiptStatus.VOID:
        return False
    return month_start(_voided_on(receipt)) == month_start(receipt.issued_on)


def _month(day: date) -> tuple[datetime, datetime]:
    window = month_window(day)
    assert window.start  # noqa: S101 - both edges of a month are known
    assert window.end  # noqa: S101
    return window.start, window.end


def _bill(receipt: Receipt, day: date) -> Bill:
    issuer = receipt.seller.get("name") or settings.ORG_NAME
    return Bill(receipt.username, receipt.document_number, issuer, receipt.currency, _month(day))


def _price(receipt: Receipt) -> Price:
    rates = (receipt.rate_cpu, receipt.rate_gpu, receipt.rate_mem)
    since = receipt.rate_version.effective_at.astimezone(UTC)
    return Price(receipt.pricing_tier_id, receipt.rate_version_id, since, rates)


def _tax(receipt: Receipt) -> TaxOf:
    window = days_window(receipt.start, receipt.end)
    words = f"{receipt.tax_label} {receipt.tax_rate:f} %"
    return TaxOf(receipt.tax_amount, receipt.tax_inclusive, words, window.start, window.end)  # type: ignore[arg-type]


def _line(receipt: Receipt, item: ReceiptItem, job: tuple[Any, ...] | None) -> Line:
    hours = (item.cpu_core_hours, item.gpu_hours, item.mem_gb_hours)
    if job is None:  # its record is gone: the receipt's own days say when
        window = _tax(receipt)
        return Line(item.job_key, item.job_id_display, "", "", {}, window.start, window.end, hours, item.cost)
    return _line_of(item.job_key, item.job_id_display, job, hours, item.cost, receipt.pricing_tier_id)


def _line_of(
    key: str, job_id: str, job: tuple[Any, ...], hours: tuple[Decimal, Decimal, Decimal], cost: Decimal, tier: str
) -> Line:
    name, account, cluster, partition, qos, start, end, elapsed = job
    if start is None or start >= end:
        start = end - timedelta(seconds=elapsed)
    tags = {"cluster": cluster, "partition": partition, "qos": qos, "tier": tier}
    return Line(key, job_id, name, account, tags, start, end, hours, cost)


def _unbilled(flt: ExportFilter) -> Iterator[Row]:
    """Jobs that a receipt would take now, at what they would cost; what cannot be priced is left out."""
    jobs = Job.objects.unbilled().chargeable(settings.BILLING_FREE_STATES).exclude(account__in=invoiced_accounts())
    jobs = jobs.filter(username__in=User.objects.values("username"), **flt.span("end_at"))
    jobs = jobs.filter(username=flt.user) if flt.user else jobs
    book = PriceBook.load()
    for job in jobs.order_by("pk").defer("raw", "gpu_types").iterator(chunk_size=CHUNK):
        found = book.price(job.username, job.account, job.end_at)
        version = found.version
        if version is None or job.end_at is None or (flt.tier and flt.tier != found.tier):
            continue
        seconds = job.used_cpu_seconds if version.cpu_basis == CpuBasis.USED else job.cpu_core_seconds
        if seconds is None:
            continue
        rates = pricing.Rates(version.cpu, version.gpu, version.mem)
        item = pricing.price(
            cpu_seconds=seconds, gpu_seconds=job.gpu_seconds, mem_mib_seconds=job.mem_mib_seconds, rates=rates
        )
        day = timezone.localdate(job.end_at, timezone.get_default_timezone())
        bill = Bill(job.username, None, settings.ORG_NAME, settings.PAYMENT_CURRENCY, _month(day))
        price = Price(
            found.tier, version.pk, version.effective_at.astimezone(UTC), (version.cpu, version.gpu, version.mem)
        )
        hours = (item.cpu_core_hours, item.gpu_hours, item.mem_gb_hours)
        values = tuple(getattr(job, name) for name in JOB_FIELDS)
        yield from line_rows(
            bill, price, _line_of(job.job_key, job.job_id_display, values, hours, item.cost, found.tier)
        )


FOCUS = Export(
    name="focus_1_2", title=_("Cost and usage (FOCUS 1.2)"), columns=COLUMNS, rows=_rows,
    period=_("days on which the receipt was issued, or voided in a later month; of usage not billed: job ends"),
    permissions=("billing.view_receipt", "billing.view_receiptitem", "usage.view_job"),
    filters=("user", "tier", "unbilled"), known=KNOWN, byte_mark=False,
)  # fmt: skip
