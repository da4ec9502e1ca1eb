"""What jobs cost: billed ones by their receipt line, the others by the rates in force now.

Every figure of a page comes from one statement over ``priced_sql``: jobs, their live
receipt line if they have one, and the prices of their (user, account). A page that
asks several questions loads one ``PriceBook`` and hands it to each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing import sql
from billing.selectors.jobs.efficiency import Use, cpu_use
from billing.selectors.pricing.priced import PRICED_BY, chargeable_sql, hours_of_job, price_table
from billing.selectors.pricing.prices import Price, PriceBook
from core.periods import days_window
from usage.models import ACTIVE_STATES, Hold, Job
from usage.models.jobs import JobQuerySet

Pairs = Set[tuple[str, str]]  # of user and account
STATUS_LABELS: dict[str, str | Promise] = {
    "billed": _("billed"),
    "unbilled": _("not billed yet"),
    "unpriced": _("no price yet"),
    "free": _("free of charge"),
    "zero": _("nothing used"),
    "held": _("held for review"),
    "running": _("running"),
    "pending": _("waiting"),
    "no_end": _("end not known"),
}
STATUSES = [(code, code) for code in STATUS_LABELS]


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """``username`` None is everybody. Days are the site's, both included. ``billed`` is '', 'yes' or 'no'.

    ``accounts``: only jobs under these Slurm accounts, those of a project; None is any.
    """

    username: str | None
    start: date | None = None
    end: date | None = None
    account: str = ""
    state: str = ""
    billed: str = ""
    query: str = ""
    partition: str = ""
    cluster: str = ""
    accounts: tuple[str, ...] | None = None
    only_real: bool = False

    def jobs(self) -> JobQuerySet:
        """With a window: jobs that ended in it. Without: all, running and waiting ones too."""
        jobs: JobQuerySet = Job.objects.all()
        window = days_window(self.start, self.end)
        exact = {"username": self.username, "account": self.account, "state": self.state}
        exact |= {"partition": self.partition, "cluster": self.cluster}
        jobs = jobs.filter(**{name: value for name, value in exact.items() if value})
        if self.only_real:
            jobs = jobs.real()
        if self.accounts is not None:
            jobs = jobs.filter(account__in=self.accounts)
        if window.start:
            jobs = jobs.filter(end_at__gte=window.start)
        if window.end:
            jobs = jobs.filter(end_at__lt=window.end)
        if self.billed:
            jobs = jobs.exclude(claimed_by="") if self.billed == "yes" else jobs.filter(claimed_by="")
        if self.query:
            jobs = jobs.filter(job_id_display__startswith=self.query) | jobs.filter(job_name__icontains=self.query)
        return jobs


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One job: hours with 4 places, money with 2; ``cost`` is what it cost or would cost now.

    None for a job that billing would refuse: its tier has no rates, or they count a CPU time that is not known.
    """

    job: Job
    cpu_core_hours: Decimal
    gpu_hours: Decimal
    mem_gb_hours: Decimal
    cost: Decimal | None
    receipt_id: int | None
    status: str
    tier: str

    @property
    def status_label(self) -> str:
        return str(STATUS_LABELS[self.status])

    @property
    def cpu_use(self) -> Use | None:
        return cpu_use(self.job)


@dataclass(frozen=True, slots=True)
class Totals:
    """``cost`` = ``billed`` + ``unbilled``."""

    jobs: int
    cpu_core_hours: Decimal
    gpu_hours: Decimal
    mem_gb_hours: Decimal
    cost: Decimal
    billed: Decimal
    unbilled: Decimal


@dataclass(frozen=True, slots=True)
class AggregateRow:
    account: str
    partition: str
    jobs: int
    cpu_core_hours: Decimal
    gpu_hours: Decimal
    mem_gb_hours: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class MemberRow:
    """What one user's jobs cost; ``cost`` - ``billed`` is on no receipt yet."""

    username: str
    jobs: int
    cpu_core_hours: Decimal
    gpu_hours: Decimal
    mem_gb_hours: Decimal
    cost: Decimal
    billed: Decimal

    @property
    def unbilled(self) -> Decimal:
        return self.cost - self.billed


@dataclass(frozen=True, slots=True)
class DayRow:
    """Money a resource cost on one day; the parts are for charts and are not rounded lines, ``cost`` is."""

    day: date
    cpu: Decimal = Decimal(0)
    gpu: Decimal = Decimal(0)
    mem: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)


_BILLED = "CASE WHEN receipt_id IS NULL THEN 0 ELSE cost END"


def totals(flt: UsageFilter, book: PriceBook | None = None) -> Totals:
    row = _select(flt, book, f"COUNT(*), {_sums()}, {sql.money_sum_sql(_BILLED)}")[0]
    jobs, (cpu, gpu, mem, cost), on_receipts = row[0], _amounts(row[1:5]), sql.money_from_sql(row[5])
    return Totals(jobs, cpu, gpu, mem, cost, on_receipts, cost - on_receipts)


def by_account(flt: UsageFilter, book: PriceBook | None = None) -> list[AggregateRow]:
    """Sums by Slurm account and partition, by name."""
    rows = _select(
        flt, book, f"account, partition, COUNT(*), {_sums()}", "GROUP BY account, partition ORDER BY account, partition"
    )
    return [AggregateRow(account, partition, jobs, *_amounts(sums)) for account, partition, jobs, *sums in rows]


def by_member(
    flt: UsageFilter, book: PriceBook | None = None, pairs: Pairs | None = None, *, most: int
) -> list[MemberRow]:
    """Sums by user, the dearest first, at most ``most`` of them."""
    columns = f"username, COUNT(*), {_sums()}, {sql.money_sum_sql(_BILLED)}"
    rows = _select(flt, book, columns, f"GROUP BY username ORDER BY 6 DESC, username LIMIT {int(most)}", pairs)
    return [MemberRow(row[0], row[1], *_amounts(row[2:6]), sql.money_from_sql(row[6])) for row in rows]


def _sums() -> str:
    hours = ", ".join(sql.hour_sum_sql(name) for name in ("cpu", "gpu", "mem"))
    return f"{hours}, {sql.money_sum_sql('cost')}"


def _amounts(row: Sequence[Any]) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    cpu, gpu, mem = (sql.hours_from_sql(value) for value in row[:3])
    return cpu, gpu, mem, sql.money_from_sql(row[3])


def by_day(flt: UsageFilter, book: PriceBook | None = None, pairs: Pairs | None = None) -> list[DayRow]:
    """Cost by resource and local day of the job's end, oldest first; days without cost are left out."""
    day = sql.local_day_sql("end_at")
    rows = _select(
        flt,
        book,
        f"{day} AS day, SUM(cpu * rate_cpu), SUM(gpu * rate_gpu), SUM(mem * rate_mem), {sql.money_sum_sql('cost')}",
        "WHERE end_at IS NOT NULL AND cost > 0 GROUP BY 1 ORDER BY 1",
        pairs,
    )
    found = []
    for day_of, *parts, cost in rows:
        cpu, gpu, mem = (Decimal(str(value)).quantize(Decimal("0.01")) for value in parts)
        found.append(DayRow(date.fromisoformat(str(day_of)), cpu, gpu, mem, sql.money_from_sql(cost)))
    return found


def iter_rows(flt: UsageFilter) -> Iterator[UsageRow]:
    """Every row of the filter, oldest first, in bounded chunks."""
    chunk: list[Job] = []
    book = PriceBook.load()
    for job in flt.jobs().order_by("id").iterator(chunk_size=2000):
        chunk.append(job)
        if len(chunk) == 2000:  # noqa: PLR2004 - the chunk of the iterator above
            yield from _price(chunk, book)
            chunk = []
    yield from _price(chunk, book)


def row_of(job: Job, book: PriceBook | None = None) -> UsageRow:
    return _price([job], book or PriceBook.load())[0]


def rows_of(jobs: list[Job], book: PriceBook | None = None) -> list[UsageRow]:
    """These jobs, priced, in their order."""
    return _price(jobs, book or PriceBook.load())


# --- pricing a set of jobs ---------------------------------------------------


def pairs_of(*sets: QuerySet[Job]) -> Pairs:
    """Whose price several questions of a page may ask for: one query for all of them."""
    first, *others = (jobs.order_by().values_list("username", "account").distinct() for jobs in sets)
    return set(first.union(*others) if others else first)


def _select(
    flt: UsageFilter, book: PriceBook | None, columns: str, tail: str = "", pairs: Pairs | None = None
) -> list[Any]:
    jobs = flt.jobs().order_by()
    pairs = pairs_of(jobs) if pairs is None else pairs
    inner, parameters = jobs.values("id").query.sql_with_params()
    statement, price_parameters = priced_sql(pairs, book or PriceBook.load())
    sql.prepare()
    with connection.cursor() as cursor:
        cursor.execute(
            f"{statement} WHERE j.id IN ({inner})) SELECT {columns} FROM priced {tail}",
            [*price_parameters, *parameters],
        )
        found: list[Any] = cursor.fetchall()
    return found


def priced_sql(pairs: Iterable[tuple[str, str]], book: PriceBook, *, before: str = "") -> tuple[str, list[Any]]:
    """``WITH ... priced AS (SELECT ...`` up to its WHERE, and its first parameters; ``before`` are other CTEs."""
    table, prices = price_table(pairs, book)
    hours = hours_of_job()
    chargeable, states = chargeable_sql()
    statement = f"""
        WITH {before}{table}, priced AS (
        SELECT j.id, j.username, j.account, j.partition, j.end_at, i.receipt_id,
            COALESCE(i.cpu_core_hours, {hours[0]}) AS cpu,
            COALESCE(i.gpu_hours, {hours[1]}) AS gpu,
            COALESCE(i.mem_gb_hours, {hours[2]}) AS mem,
            COALESCE(r.rate_cpu, p.cpu) AS rate_cpu,
            COALESCE(r.rate_gpu, p.gpu) AS rate_gpu,
            COALESCE(r.rate_mem, p.mem) AS rate_mem,
            CASE WHEN i.cost IS NOT NULL THEN i.cost
                 WHEN {chargeable} THEN {sql.cost_sql(*hours, ("p.cpu", "p.gpu", "p.mem"))}
                 ELSE 0 END AS cost
        FROM jobs j
        JOIN p ON {PRICED_BY}
        LEFT JOIN receipt_items i ON i.job_key = j.job_key AND i.is_live
        LEFT JOIN receipts r ON r.id = i.receipt_id"""
    return statement, [prices, *states]


def _price(jobs: list[Job], book: PriceBook) -> list[UsageRow]:
    """Price the jobs of one page in one statement, keeping their order."""
    if not jobs:
        return []
    statement, parameters = priced_sql({(job.username, job.account) for job in jobs}, book)
    marks = ", ".join(["%s"] * len(jobs))
    sql.prepare()
    with connection.cursor() as cursor:
        cursor.execute(
            f"{statement} WHERE j.id IN ({marks})) SELECT id, cpu, gpu, mem, cost, receipt_id FROM priced",
            [*parameters, *(job.pk for job in jobs)],
        )
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    return [_row(job, found[job.pk], book.price(job.username, job.account, job.end_at)) for job in jobs]


def _row(job: Job, priced: tuple[Any, ...], price: Price) -> UsageRow:
    cpu, gpu, mem = (Decimal(str(value)).quantize(Decimal("0.0001")) for value in priced[:3])
    cost = Decimal(str(priced[3])).quantize(Decimal("0.01"))
    status = _status(job, priced[4])
    if status == "unbilled" and not price.can_bill(job.used_cpu_seconds):
        return UsageRow(job, cpu, gpu, mem, None, None, "unpriced", price.tier)
    return UsageRow(job, cpu, gpu, mem, cost, priced[4], status, price.tier)


def _status(job: Job, receipt_id: int | None) -> str:
    if receipt_id is not None:
        return "billed"
    if job.end_at is None:
        if job.state == "PENDING":
            return "pending"
        return "running" if job.state in ACTIVE_STATES else "no_end"
    if job.state in settings.BILLING_FREE_STATES:
        return "free"
    if not job.elapsed_seconds:
        return "zero"
    return "held" if job.hold == Hold.RUNAWAY else "unbilled"
