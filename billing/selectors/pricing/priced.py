"""The price of each job inside the database: the table of prices that a statement joins its jobs with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings

from billing import sql
from billing.models import CpuBasis
from billing.selectors.pricing.prices import PriceBook
from core.database.tables import json_table, moment_cell
from usage.models import Hold

# A job that has not ended is priced as if it ended now: by the last, open row.
PRICED_BY = """p.username = j.username AND p.account = j.account
    AND (p.since IS NULL OR j.end_at >= p.since OR (j.end_at IS NULL AND p.until IS NULL))
    AND (p.until IS NULL OR j.end_at < p.until)"""
_COLUMNS = {
    "username": "text",
    "account": "text",
    "since": "timestamptz",
    "until": "timestamptz",
    "tier": "text",
    "version": "bigint",
    "basis": "text",
    "cpu": "numeric",
    "gpu": "numeric",
    "mem": "numeric",
}


def price_table(pairs: Iterable[tuple[str, str]], book: PriceBook, *, name: str = "p") -> tuple[str, str]:
    """A CTE ``p(username, account, since, until, tier, version, basis, cpu, gpu, mem)`` and its one parameter.

    One row a price that holds for the pair of user and account; rates travel as text.
    """
    rows = [
        (*pair, moment_cell(price.since), moment_cell(price.until),
         price.tier, price.version.pk if price.version else None, price.basis, *price.rates)
        for pair in sorted(pairs)
        for price in book.prices(*pair)
    ]  # fmt: skip
    return json_table(name, _COLUMNS, rows)


def hours_of_job(basis: str = "p.basis") -> tuple[str, str, str]:
    """Core, GPU and GB hours of the job ``j`` by the CPU basis of its price."""
    used = (
        f"CASE WHEN {basis} = '{CpuBasis.USED.value}' THEN COALESCE(j.used_cpu_seconds, 0) ELSE j.cpu_core_seconds END"
    )
    return sql.hours_sql(f"({used})"), sql.hours_sql("j.gpu_seconds"), sql.mem_hours_sql("j.mem_mib_seconds")


def free_states() -> tuple[str, list[str]]:
    """``(%s, %s)`` and its parameters; never empty, so that it may stand behind IN."""
    states = settings.BILLING_FREE_STATES or [""]
    return f"({', '.join(['%s'] * len(states))})", list(states)


def chargeable_sql() -> tuple[str, list[Any]]:
    """Whether the job ``j`` costs anything at all, and the parameters of that."""
    marks, states = free_states()
    held = f"j.hold = '{Hold.RUNAWAY.value}'"
    return f"j.end_at IS NOT NULL AND j.elapsed_seconds > 0 AND NOT {held} AND j.state NOT IN {marks}", states
