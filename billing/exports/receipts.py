"""Receipts and their lines as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Count, QuerySet
from django.utils.translation import gettext_lazy as _

from billing.exports.known import KNOWN
from billing.models import Receipt, ReceiptItem, ReceiptStatus
from core.exports import CHUNK, Column, Export, ExportFilter, Kind, Row, chunks
from usage.models import Job

RECEIPT_COLUMNS = (
    Column("receipt", _("receipt"), Kind.INT),
    Column("number", _("number")),
    Column("status", _("status")),
    Column("user", _("user")),
    Column("tier", _("tier")),
    Column("start", _("from"), Kind.DAY),
    Column("end", _("to"), Kind.DAY),
    Column("issued_on", _("issued"), Kind.DAY),
    Column("jobs", _("jobs"), Kind.INT),
    Column("subtotal", _("subtotal"), Kind.MONEY),
    Column("tax_label", _("tax")),
    Column("tax_rate", _("tax rate (%)"), Kind.MONEY),
    Column("tax_amount", _("tax amount"), Kind.MONEY),
    Column("tax_inclusive", _("tax is inside the prices"), Kind.BOOL),
    Column("total", _("total"), Kind.MONEY),
    Column("currency", _("currency")),
    Column("rate_cpu", _("per core-hour"), Kind.RATE),
    Column("rate_gpu", _("per GPU-hour"), Kind.RATE),
    Column("rate_mem", _("per GB-hour"), Kind.RATE),
    Column("cpu_basis", _("CPU basis")),
    Column("rates_locked_at", _("rates as of"), Kind.MOMENT),
    Column("method", _("method")),
    Column("tx_ref", _("payment reference")),
    Column("paid_at", _("paid"), Kind.MOMENT),
    Column("voided_at", _("voided"), Kind.MOMENT),
    Column("voided_by", _("voided by")),
    Column("void_reason", _("reason for voiding")),
    Column("note", _("note")),
    Column("adjusts_month", _("late usage of"), Kind.DAY),
    Column("created_by", _("created by")),
    Column("created_at", _("created"), Kind.MOMENT),
    Column("digest", _("content hash (SHA-256)")),
)
_FIELDS = {"receipt": "pk", "number": "document_number", "user": "user_id", "tier": "pricing_tier_id"}
ITEM_COLUMNS = (
    Column("receipt", _("receipt"), Kind.INT),
    Column("number", _("number")),
    Column("status", _("status")),
    Column("user", _("user")),
    Column("tier", _("tier")),
    Column("issued_on", _("issued"), Kind.DAY),
    Column("job_id", _("job id")),
    Column("job_key", _("job key")),
    Column("cluster", _("cluster")),
    Column("account", _("account")),
    Column("name", _("name")),
    Column("ended", _("ended"), Kind.MOMENT),
    Column("core_hours", _("core-hours"), Kind.HOURS),
    Column("gpu_hours", _("GPU-hours"), Kind.HOURS),
    Column("gb_hours", _("GB-hours"), Kind.HOURS),
    Column("cost", _("cost"), Kind.MONEY),
    Column("currency", _("currency")),
)
JOB_FIELDS = ("cluster", "account", "job_name", "end_at")


def receipts_of(flt: ExportFilter) -> QuerySet[Receipt]:
    exact = {"user_id": flt.user, "pricing_tier_id": flt.tier, "status": flt.status}
    return Receipt.objects.filter(**{name: value for name, value in exact.items() if value})


def receipt_rows(receipts: QuerySet[Receipt]) -> Iterator[Row]:
    """One row a receipt, in the order of their making: one statement, read as it is sent."""
    fields = [_FIELDS.get(column.name, column.name) for column in RECEIPT_COLUMNS]
    counted = receipts.annotate(jobs=Count("items")).order_by("pk")
    yield from counted.values_list(*fields).iterator(chunk_size=CHUNK)


def item_rows(items: QuerySet[ReceiptItem]) -> Iterator[Row]:
    """One row a line, receipt by receipt, with what is known of its job: one more query a chunk."""
    before = ("receipt_id", "receipt__document_number", "receipt__status", "receipt__user_id",
              "receipt__pricing_tier_id", "receipt__issued_on", "job_id_display", "job_key")  # fmt: skip
    after = ("cpu_core_hours", "gpu_hours", "mem_gb_hours", "cost", "receipt__currency")
    found = items.order_by("receipt_id", "pk").values_list(*before, *after).iterator(chunk_size=CHUNK)
    for chunk in chunks(found):
        jobs = jobs_of((row[7] for row in chunk), JOB_FIELDS)
        for row in chunk:
            yield (*row[:8], *jobs.get(row[7], (None,) * len(JOB_FIELDS)), *row[8:])


def jobs_of(keys: Iterable[str], fields: tuple[str, ...]) -> dict[str, tuple[Any, ...]]:
    """Columns of jobs by their key."""
    found = Job.objects.filter(job_key__in=list(keys)).values_list("job_key", *fields)
    return {key: tuple(values) for key, *values in found}


def _all(flt: ExportFilter) -> Iterator[Row]:
    return receipt_rows(receipts_of(flt).filter(**flt.day_span("issued_on")))


def _paid(flt: ExportFilter) -> Iterator[Row]:
    return receipt_rows(receipts_of(flt).filter(status=ReceiptStatus.PAID, **flt.span("paid_at")))


def _pending(flt: ExportFilter) -> Iterator[Row]:
    return receipt_rows(receipts_of(flt).filter(status=ReceiptStatus.PENDING, **flt.day_span("issued_on")))


def _void(flt: ExportFilter) -> Iterator[Row]:
    return receipt_rows(receipts_of(flt).filter(status=ReceiptStatus.VOID, **flt.span("voided_at")))


def _items(flt: ExportFilter) -> Iterator[Row]:
    items = ReceiptItem.objects.filter(receipt__in=receipts_of(flt).filter(**flt.day_span("issued_on")))
    exact = {"account": flt.account, "cluster": flt.cluster}
    if of_job := {name: value for name, value in exact.items() if value}:
        items = items.filter(job_key__in=Job.objects.filter(**of_job).values("job_key"))
    return item_rows(items)


_STATUSES = {status.value: status.label for status in ReceiptStatus}
_ISSUED = _("days on which the receipt was issued")
RECEIPTS = Export(
    name="receipts", title=_("Receipts"), period=_ISSUED, columns=RECEIPT_COLUMNS, rows=_all,
    permissions=("billing.view_receipt",), filters=("user", "tier", "status"), known=KNOWN, statuses=_STATUSES,
)  # fmt: skip
PAID = Export(
    name="paid_receipts", title=_("Paid receipts"), period=_("days on which the receipt was paid"),
    columns=RECEIPT_COLUMNS, rows=_paid, permissions=("billing.view_receipt",), filters=("user", "tier"), known=KNOWN,
)  # fmt: skip
PENDING = Export(
    name="pending_receipts", title=_("Pending receipts"), period=_ISSUED, columns=RECEIPT_COLUMNS, rows=_pending,
    permissions=("billing.view_receipt",), filters=("user", "tier"), known=KNOWN,
)  # fmt: skip
VOID = Export(
    name="void_receipts", title=_("Voided receipts"), period=_("days on which the receipt was voided"),
    columns=RECEIPT_COLUMNS, rows=_void, permissions=("billing.view_receipt",), filters=("user", "tier"), known=KNOWN,
)  # fmt: skip
ITEMS = Export(
    name="receipt_items", title=_("Receipt lines"), period=_ISSUED, columns=ITEM_COLUMNS, rows=_items,
    permissions=("billing.view_receipt", "billing.view_receiptitem"),
    filters=("user", "tier", "status", "account", "cluster"), known=KNOWN, statuses=_STATUSES,
)  # fmt: skip
