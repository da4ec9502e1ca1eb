"""The proof of a month: usage = billed + free + unbilled + quarantined, in hours and in money. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Max, Min, Sum
from django.utils import timezone

from billing import sql
from billing.models import ClosedMonth, CpuBasis
from billing.pricing import MIB_SECONDS_PER_GB_HOUR, Rates, hours, price
from billing.selectors.jobs.months import find
from billing.selectors.pricing.priced import PRICED_BY, free_states, hours_of_job, price_table
from billing.selectors.pricing.prices import PriceBook
from core.periods import Window, month_start, month_window, previous_month
from usage.estimates import estimates
from usage.models import Hold, Job, QuarantinedRow, ReviewStatus

PARTS = ("billed", "free", "unbilled", "quarantined")
SPAN_KEPT = 600  # seconds
MOST_ROWS = 10_000  # refused rows that are read one by one; more than that is no month to close


@dataclass(frozen=True, slots=True)
class Amount:
    """Seconds are exact; ``cost`` is what the lines cost, or what the jobs would cost."""

    jobs: int = 0
    cpu_core_seconds: int = 0
    gpu_seconds: int = 0
    mem_mib_seconds: int = 0
    cost: Decimal = Decimal(0)

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.jobs + other.jobs,
            self.cpu_core_seconds + other.cpu_core_seconds,
            self.gpu_seconds + other.gpu_seconds,
            self.mem_mib_seconds + other.mem_mib_seconds,
            self.cost + other.cost,
        )

    @property
    def core_hours(self) -> Decimal:
        return hours(self.cpu_core_seconds)

    @property
    def gpu_hours(self) -> Decimal:
        return hours(self.gpu_seconds)

    @property
    def gb_hours(self) -> Decimal:
        return hours(self.mem_mib_seconds, MIB_SECONDS_PER_GB_HOUR)

    def as_json(self) -> dict[str, Any]:
        return {
            "jobs": self.jobs, "cpu_core_seconds": self.cpu_core_seconds, "gpu_seconds": self.gpu_seconds,
            "mem_mib_seconds": self.mem_mib_seconds, "cost": str(self.cost),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    """One line under a part: why, and how much."""

    code: str
    amount: Amount


@dataclass(frozen=True, slots=True)
class Proof:
    """``usage`` is summed from the records alone, ``parts`` from what became of them; equal, or there is a fault.

    ``unknown_rows`` are refused rows that do not tell their hours: they are in no sum.
    """

    month: date
    currency: str
    usage: Amount
    parts: dict[str, Amount]
    reasons: dict[str, list[Reason]]
    unknown_rows: int = 0
    open_jobs: int = 0
    differing_lines: int = 0

    @property
    def difference(self) -> Amount:
        rest = sum((self.parts[name] for name in PARTS), Amount())
        return Amount(
            self.usage.jobs - rest.jobs,
            self.usage.cpu_core_seconds - rest.cpu_core_seconds,
            self.usage.gpu_seconds - rest.gpu_seconds,
            self.usage.mem_mib_seconds - rest.mem_mib_seconds,
            self.usage.cost - rest.cost,
        )

    @property
    def holds(self) -> bool:
        return self.difference == Amount() and not self.differing_lines

    def as_json(self) -> dict[str, Any]:
        return {
            "month": f"{self.month:%Y-%m}",
            "currency": self.currency,
            "usage": self.usage.as_json(),
            **{name: self.parts[name].as_json() for name in PARTS},
            "reasons": {name: {r.code: r.amount.as_json() for r in found} for name, found in self.reasons.items()},
            "unknown_rows": self.unknown_rows,
            "open_jobs": self.open_jobs,
            "holds": self.holds,
        }


def prove(month: date, closed: ClosedMonth | None = None) -> Proof:
    """The month of the site that ``month`` lies in; ``closed`` where it is known to be so already. The number of
    statements does not depend on the jobs."""
    month, window = month_start(month), month_window(month)
    book = PriceBook.load()
    parts = {name: Amount() for name in PARTS}
    reasons: dict[str, list[Reason]] = {name: [] for name in PARTS}
    # What only lacks a receipt waits for the ordinary ones, or for an adjustment where they refuse it.
    ready = "closed_month" if closed or find(month) else "next_receipt"
    for part, code, amount in _classes(window, book, ready):
        parts[part] += amount
        reasons[part].append(Reason(code, amount))
    refused, unknown = _refused(window, book)
    for code, amount in sorted(refused.items()):
        parts["quarantined"] += amount
        reasons["quarantined"].append(Reason(code, amount))
    open_jobs, differing = _counts(window, book)
    return Proof(
        month=month,
        currency=settings.PAYMENT_CURRENCY,
        usage=_usage(window, parts, refused.values()),
        parts=parts,
        reasons=reasons,
        unknown_rows=unknown,
        open_jobs=open_jobs,
        differing_lines=differing,
    )


def _usage(window: Window, parts: dict[str, Amount], refused: Iterable[Amount]) -> Amount:
    """Everything the month's records hold, summed without looking at what became of them.

    Money exists only by pricing, so its total is that of the parts; lines are held
    against their jobs by ``_counts``.
    """
    jobs = Job.objects.real().filter(end_at__gte=window.start, end_at__lt=window.end)
    sums = jobs.aggregate(
        jobs=Count("id"), cpu=Sum("cpu_core_seconds"), gpu=Sum("gpu_seconds"), mem=Sum("mem_mib_seconds")
    )
    cost = sum((parts[name].cost for name in PARTS if name != "quarantined"), Decimal(0))
    records = Amount(sums["jobs"], int(sums["cpu"] or 0), int(sums["gpu"] or 0), int(sums["mem"] or 0), cost)
    return records + sum(refused, Amount())


def _classes(window: Window, book: PriceBook, ready: str) -> list[tuple[str, str, Amount]]:
    """(part, reason, amount) of every ended job of the month: one statement, each job in exactly one class."""
    jobs = Job.objects.real().filter(end_at__gte=window.start, end_at__lt=window.end).order_by()
    table, prices = price_table(set(jobs.values_list("username", "account").distinct()), book)
    cost = sql.cost_sql(*hours_of_job(), ("p.cpu", "p.gpu", "p.mem"))
    states, state_values = free_states()
    invoiced = list(book.resolver.invoiced) or [""]
    marks = ", ".join(["%s"] * len(invoiced))
    real, tests = _real_sql(book)
    sql.prepare()
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH {table}, classified AS (
            SELECT CASE WHEN j.claimed_by <> '' THEN 'billed'
                        WHEN j.state IN {states} OR j.elapsed_seconds = 0 THEN 'free' ELSE 'unbilled' END AS part,
                   CASE WHEN j.claimed_by <> '' THEN COALESCE(r.status, 'document')
                        WHEN j.state IN {states} THEN 'free_state'
                        WHEN j.elapsed_seconds = 0 THEN 'zero_time'
                        WHEN j.hold = '{Hold.RUNAWAY.value}' THEN 'runaway'
                        WHEN j.account IN ({marks}) THEN 'by_invoice'
                        WHEN u.username IS NULL THEN 'no_user'
                        WHEN p.version IS NULL THEN 'no_rate'
                        WHEN p.basis = '{CpuBasis.USED.value}' AND j.used_cpu_seconds IS NULL THEN 'no_cpu_time'
                        ELSE %s END AS reason,
                   j.cpu_core_seconds, j.gpu_seconds, j.mem_mib_seconds, COALESCE(i.cost, {cost}) AS cost
            FROM jobs j JOIN p ON {PRICED_BY}
            LEFT JOIN receipt_items i ON i.job_key = j.job_key AND i.is_live
            LEFT JOIN receipts r ON r.id = i.receipt_id
            LEFT JOIN users u ON u.username = j.username
            WHERE j.end_at >= %s AND j.end_at < %s{real})
            SELECT part, reason, COUNT(*), SUM(cpu_core_seconds), SUM(gpu_seconds), SUM(mem_mib_seconds),
            {sql.money_sum_sql("cost")} FROM classified GROUP BY part, reason ORDER BY part, reason""",
            [prices, *state_values, *state_values, *invoiced, ready, adapt(window.start), adapt(window.end), *tests],
        )
        rows = cursor.fetchall()
    return [
        (part, code, Amount(count, int(cpu), int(gpu), int(mem), sql.money_from_sql(money)))
        for part, code, count, cpu, gpu, mem, money in rows
    ]


def _real_sql(book: PriceBook) -> tuple[str, Sequence[str]]:
    """A condition that leaves jobs of test clocks out, and its values; nothing where there are none."""
    tests = book.resolver.tests
    return (f" AND j.account NOT IN ({', '.join(['%s'] * len(tests))})" if tests else ""), tests


def _refused(window: Window, book: PriceBook) -> tuple[dict[str, Amount], int]:
    """Open quarantined rows of the month by reason, as far as they tell, and how many do not tell their hours.

    A row whose end cannot be read belongs to the month in which it was first seen.
    """
    known: dict[str, Amount] = {}
    unknown = 0
    rows = QuarantinedRow.objects.filter(status=ReviewStatus.OPEN).select_related("run").order_by("id")
    for row, found in estimates(rows[:MOST_ROWS]):
        if not window.holds(found.end_at or row.created_at):
            continue
        if found.end_at is None or found.cpu_core_seconds is None:
            unknown += 1
            continue
        gpu, mem = found.gpu_seconds or 0, found.mem_mib_seconds or 0
        rates = Rates(*map(Decimal, book.price(found.username, found.account, found.end_at).rates))
        cost = price(cpu_seconds=found.cpu_core_seconds, gpu_seconds=gpu, mem_mib_seconds=mem, rates=rates).cost
        known[row.reason] = known.get(row.reason, Amount()) + Amount(1, found.cpu_core_seconds, gpu, mem, cost)
    return known, unknown


def _counts(window: Window, book: PriceBook) -> tuple[int, int]:
    """Jobs that started by the end of the month and have not ended, and jobs of the month whose claim and live
    receipt line do not agree; of these there must be none."""
    start, end = map(connection.ops.adapt_datetimefield_value, (window.start, window.end))
    real, tests = _real_sql(book)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT (SELECT COUNT(*) FROM jobs j WHERE j.end_at IS NULL AND j.start_at < %s{real}),
            (SELECT COUNT(*) FROM jobs j LEFT JOIN receipt_items i ON i.job_key = j.job_key AND i.is_live
            WHERE j.end_at >= %s AND j.end_at < %s AND (j.claimed_by LIKE 'receipt:%%' OR i.id IS NOT NULL)
            AND (i.id IS NULL OR j.claimed_by <> 'receipt:' || i.receipt_id))""",
            [end, *tests, start, end],
        )
        open_jobs, differing = cursor.fetchone()
        return int(open_jobs), int(differing)


def months_with_usage(limit: int = 24) -> list[date]:
    """Months of the site from the newest to the oldest in which something ended; known for ten minutes in a process,
    since finding the ends reads every job."""
    span: tuple[datetime | None, datetime | None] = cache.get_or_set("billing:span", _span, SPAN_KEPT) or (None, None)
    first, last = span
    if first is None or last is None:
        return []
    zone = timezone.get_default_timezone()
    start, month = (month_start(timezone.localdate(moment, zone)) for moment in (first, last))
    found: list[date] = []
    while month >= start and len(found) < limit:
        found.append(month)
        month = previous_month(month)
    return found


def _span() -> tuple[datetime | None, datetime | None]:
    found = Job.objects.aggregate(first=Min("end_at"), last=Max("end_at"))
    return found["first"], found["last"]
