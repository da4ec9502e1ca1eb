"""What many windows of Slurm usage cost at once, for the rules that watch cost. Reads only."""

from __future__ import annotations

from decimal import Decimal

from django.db import connection

from billing import sql
from billing.selectors.jobs.usage import priced_sql
from billing.selectors.pricing.prices import PriceBook
from usage.alerts.measures import Ask, matched_jobs


def costs_of(asks: dict[int, Ask]) -> dict[int, Decimal]:
    """Cost of the jobs that ended in each window: what their receipts say, and for the others the rates of now.

    Two statements beside the price book's, however many windows. A window without jobs is not in the answer.
    """
    if not asks:
        return {}
    matched, asked = matched_jobs(asks)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {matched} SELECT DISTINCT j.username, j.account FROM matched m JOIN jobs j ON j.id = m.job", [asked]
        )
        pairs = set(cursor.fetchall())
    if not pairs:
        return {}
    statement, prices = priced_sql(pairs, PriceBook.load(), before=f"{matched}, ")
    sql.prepare()
    with connection.cursor() as cursor:
        cursor.execute(
            f"{statement} WHERE j.id IN (SELECT job FROM matched))"
            f" SELECT m.ask, {sql.money_sum_sql('priced.cost')} FROM matched m JOIN priced ON priced.id = m.job"
            " GROUP BY m.ask",
            [asked, *prices],
        )
        return {ask: sql.money_from_sql(total) for ask, total in cursor.fetchall()}
