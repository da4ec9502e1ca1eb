"""What somebody has not been billed for yet, at the prices of the site's policy now. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from billing import sql
from billing.models import CpuBasis
from billing.selectors.jobs.billable import candidates_of
from billing.selectors.jobs.usage import Pairs, pairs_of
from billing.selectors.pricing.priced import PRICED_BY, hours_of_job, price_table
from billing.selectors.pricing.prices import PriceBook
from usage.models.jobs import JobQuerySet

_COLUMNS = ("username", "account", "end_at", "used_cpu_seconds", "cpu_core_seconds", "gpu_seconds", "mem_mib_seconds")


@dataclass(frozen=True, slots=True)
class Unbilled:
    """``total`` before tax, of ``jobs``; ``unpriced`` more would be refused: no rates, or an unknown CPU time."""

    jobs: int
    total: Decimal
    unpriced: int = 0


def unbilled_sum(username: str, book: PriceBook | None = None) -> Unbilled:
    """Jobs that a receipt could hold now, and their cost: what ``preview_receipts`` adds up, in one statement."""
    candidates = candidates_of(username, None, None)
    return sum_of(candidates, book or PriceBook.load(), pairs_of(candidates))


def sum_of(candidates: JobQuerySet, book: PriceBook, pairs: Pairs) -> Unbilled:
    """``candidates`` as ``candidates_of`` gives them; ``pairs`` has at least their users and accounts."""
    candidates = candidates.order_by()
    if not pairs:
        return Unbilled(0, Decimal(0))
    table, prices = price_table(pairs, book)
    inner, parameters = candidates.values(*_COLUMNS).query.sql_with_params()
    known = f"(p.version IS NOT NULL AND (p.basis <> '{CpuBasis.USED.value}' OR j.used_cpu_seconds IS NOT NULL))"
    cost = sql.cost_sql(*hours_of_job(), ("p.cpu", "p.gpu", "p.mem"))
    sql.prepare()
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {table} SELECT COUNT(*) FILTER (WHERE {known}),"
            f" {sql.money_sum_sql(f'CASE WHEN {known} THEN {cost} ELSE 0 END')}, COUNT(*) FILTER (WHERE NOT {known})"
            f" FROM ({inner}) j JOIN p ON {PRICED_BY}",
            [prices, *parameters],
        )
        jobs, total, unpriced = cursor.fetchone()
    return Unbilled(jobs, sql.money_from_sql(total), unpriced)
