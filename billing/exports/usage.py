"""Jobs with what they cost, billed or not, as a table."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from billing.exports.known import KNOWN
from billing.models import Receipt
from billing.selectors.jobs import usage
from billing.selectors.jobs.usage import UsageFilter, UsageRow
from core.exports import Column, Export, ExportFilter, Kind, Row

USAGE_COLUMNS = (
    Column("job_id", _("job id")),
    Column("cluster", _("cluster")),
    Column("name", _("name")),
    Column("account", _("account")),
    Column("partition", _("partition")),
    Column("state", _("state")),
    Column("submitted", _("submitted"), Kind.MOMENT),
    Column("started", _("started"), Kind.MOMENT),
    Column("ended", _("ended"), Kind.MOMENT),
    Column("elapsed_seconds", _("elapsed seconds"), Kind.INT),
    Column("cpus", _("CPUs"), Kind.INT),
    Column("gpus", _("GPUs"), Kind.INT),
    Column("memory_mib", _("memory (MiB)"), Kind.INT),
    Column("core_hours", _("core-hours"), Kind.HOURS),
    Column("gpu_hours", _("GPU-hours"), Kind.HOURS),
    Column("gb_hours", _("GB-hours"), Kind.HOURS),
    Column("tier", _("tier")),
    Column("cost", _("cost"), Kind.MONEY),
    Column("currency", _("currency")),
    Column("status", _("status")),
    Column("receipt", _("receipt"), Kind.INT),
)
MEMBER_USAGE_COLUMNS = (Column("user", _("user")), *USAGE_COLUMNS)
_WHOSE = (Column("user", _("user")), Column("job_key", _("job key")))


def usage_rows(flt: UsageFilter) -> Iterator[Row]:
    """The cells under ``USAGE_COLUMNS``, oldest record first."""
    for row, currency in _with_currency(flt):
        yield _cells(row, currency)


def member_usage_rows(flt: UsageFilter) -> Iterator[Row]:
    """The cells under ``MEMBER_USAGE_COLUMNS``, oldest record first."""
    for row, currency in _with_currency(flt):
        yield (row.job.username, *_cells(row, currency))


def _with_currency(flt: UsageFilter) -> Iterator[tuple[UsageRow, str]]:
    """Receipts keep the currency in which they were made; there are others only where the site changed its own."""
    site = settings.PAYMENT_CURRENCY
    others = dict(Receipt.objects.exclude(currency=site).values_list("pk", "currency"))
    for row in usage.iter_rows(flt):
        yield row, others.get(row.receipt_id, site) if row.receipt_id else site


def _cells(row: UsageRow, currency: str) -> Row:
    job = row.job
    return (
        job.job_id_display, job.cluster, job.job_name, job.account, job.partition, job.state, job.submit_at,
        job.start_at, job.end_at, job.elapsed_seconds, job.cpus, job.gpus, job.mem_mib, row.cpu_core_hours,
        row.gpu_hours, row.mem_gb_hours, row.tier, row.cost, currency, row.status, row.receipt_id,
    )  # fmt: skip


def _rows(flt: ExportFilter) -> Iterator[Row]:
    billed = {"billed": "yes", "unbilled": "no"}.get(flt.status, "")
    asked = UsageFilter(
        flt.user or None, flt.start, flt.end, account=flt.account, cluster=flt.cluster, billed=billed, only_real=True
    )
    for row, currency in _with_currency(asked):
        yield (row.job.username, row.job.job_key, *_cells(row, currency))


USAGE = Export(
    name="usage", title=_("Usage"), period=_("days on which the job ended; without days running jobs, too"),
    columns=(*_WHOSE, *USAGE_COLUMNS), rows=_rows, permissions=("usage.view_job", "billing.view_receipt"),
    filters=("user", "account", "cluster", "status"), known=KNOWN,
    statuses={"billed": _("On a receipt"), "unbilled": _("Not on a receipt")},
)  # fmt: skip
