"""What receipts hold: every job once, at the price that its record gives."""

from __future__ import annotations

from billing import sql
from hpcbilling.books.rows import rows


def receipt_prices() -> list[str]:
    """Every line recomputed from its job and the receipt's own rates gives the same hours and cost."""
    used = "CASE WHEN r.cpu_basis = 'used' THEN j.used_cpu_seconds ELSE j.cpu_core_seconds END"
    hours = (sql.hours_sql(f"({used})"), sql.hours_sql("j.gpu_seconds"), sql.mem_hours_sql("j.mem_mib_seconds"))
    cost = sql.cost_sql(*hours, ("r.rate_cpu", "r.rate_gpu", "r.rate_mem"))
    pairs = zip(("i.cpu_core_hours", "i.gpu_hours", "i.mem_gb_hours", "i.cost"), (*hours, cost), strict=True)
    differs = " OR ".join(f"{stored} <> CAST({computed} AS numeric)" for stored, computed in pairs)
    found = rows(
        f"""SELECT i.receipt_id, i.job_key FROM receipt_items i JOIN receipts r ON r.id = i.receipt_id
        JOIN jobs j ON j.job_key = i.job_key WHERE i.is_live AND ({differs})"""
    )
    return [f"receipt {row[0]}: the line of job {row[1]} cannot be recomputed" for row in found]


def job_claims() -> list[str]:
    """A job is claimed by exactly the live receipt that has its line, and by nothing else."""
    claim = "'receipt:' || i.receipt_id"
    lines = rows(
        f"""SELECT i.receipt_id, i.job_key FROM receipt_items i LEFT JOIN jobs j ON j.job_key = i.job_key
        WHERE i.is_live AND (j.id IS NULL OR j.claimed_by <> {claim})"""
    )
    jobs = rows(
        f"""SELECT j.job_key, j.claimed_by FROM jobs j LEFT JOIN receipt_items i ON i.job_key = j.job_key AND i.is_live
        WHERE j.claimed_by <> '' AND (i.id IS NULL OR j.claimed_by <> {claim})"""
    )
    return [f"receipt {row[0]}: job {row[1]} is not claimed by it" for row in lines] + [
        f"job {row[0]} is claimed by {row[1]}, which has no live line for it" for row in jobs
    ]


def held_jobs() -> list[str]:
    """What finance has not looked at is on no document."""
    found = rows("SELECT job_key, claimed_by FROM jobs WHERE hold = 'runaway' AND claimed_by <> ''")
    return [f"job {row[0]} is held back but billed on {row[1]}" for row in found]


def job_products() -> list[str]:
    """Core, GPU and MiB seconds are the amounts times the elapsed seconds."""
    pairs = (("cpu_core_seconds", "cpus"), ("gpu_seconds", "gpus"), ("mem_mib_seconds", "mem_mib"))
    differs = " OR ".join(f"{product} <> {amount} * elapsed_seconds" for product, amount in pairs)
    return [
        f"job {row[0]}: its amounts times its time are not its sums"
        for row in rows(f"SELECT job_key FROM jobs WHERE {differs}")
    ]


def reviews() -> list[str]:
    """Who and when stand on everything that was decided, and a released row has its job."""
    wrong = []
    for name, table in (("quarantined row", "quarantined_rows"), ("adjustment", "usage_adjustments")):
        found = rows(
            f"SELECT id, status FROM {table} WHERE status <> 'open' AND (decided_by = '' OR decided_at IS NULL)"
        )
        wrong += [f"{name} {row[0]} is {row[1]} by nobody" for row in found]
        found = rows(f"SELECT id FROM {table} WHERE status = 'dismissed' AND note = ''")
        wrong += [f"{name} {row[0]} is dismissed without a note" for row in found]
    lost = rows(
        """SELECT q.id, q.job_key FROM quarantined_rows q WHERE q.status = 'accepted'
        AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.job_key = q.job_key)"""
    )
    return wrong + [f"quarantined row {row[0]} was released as {row[1]}, which is not there" for row in lost]
