"""What receipts hold: every job once, at the price that its record gives."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.db import connection

from billing import sql
from hpcbilling.books.rows import SHOWN, rows
from usage.models import Job
from usage.parsing import RowError, join_states
from usage.raws import read_raw


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
    """A job is claimed by exactly the live receipt that has its line, or by an invoice (``invoice_claims`` looks at
    those), and by nothing else."""
    claim = "'receipt:' || i.receipt_id"
    lines = rows(
        f"""SELECT i.receipt_id, i.job_key FROM receipt_items i LEFT JOIN jobs j ON j.job_key = i.job_key
        WHERE i.is_live AND (j.id IS NULL OR j.claimed_by <> {claim})"""
    )
    jobs = rows(
        f"""SELECT j.job_key, j.claimed_by FROM jobs j LEFT JOIN receipt_items i ON i.job_key = j.job_key AND i.is_live
        WHERE j.claimed_by <> '' AND (i.id IS NULL OR j.claimed_by <> {claim})
        AND NOT (i.id IS NULL AND j.claimed_by LIKE 'invoice:%')"""
    )
    return [f"receipt {row[0]}: job {row[1]} is not claimed by it" for row in lines] + [
        f"job {row[0]} is claimed by {row[1]}, which has no live line for it" for row in jobs
    ]


def billed_jobs() -> list[str]:
    """A billed job is its payer's, or ran under an account of the project that its receipt is for; it ended in the
    window of that receipt, and is whose and what its record says."""
    day = sql.local_day_sql("j.end_at")
    under = "EXISTS (SELECT 1 FROM json_each(r.tier_by_account) a WHERE a.key = j.account)"
    if connection.vendor == "postgresql":
        under = "jsonb_exists(r.tier_by_account, j.account)"
    whose = f"CASE WHEN r.project_id IS NULL THEN j.username = r.username ELSE {under} END"
    strangers = rows(
        f"""SELECT r.id, j.job_key FROM receipt_items i JOIN receipts r ON r.id = i.receipt_id
        JOIN jobs j ON j.job_key = i.job_key
        WHERE i.is_live AND (NOT {whose} OR {day} < r.start OR {day} > r."end")"""
    )
    return [f"receipt {row[0]}: job {row[1]} is not its payer's, or did not end in its days" for row in strangers] + [
        f"job {job.job_key} is billed on {job.claimed_by}, but its record has another {name}"
        for job in _odd_jobs()
        if (name := _not_in_record(job))
    ][:SHOWN]


def _odd_jobs() -> Iterator[Job]:
    """Billed jobs whose user, account or free state does not stand in their record as a cell of its own.

    A cell may be written in ways that SQL does not read: each is to be looked at before it is called wrong.
    """
    find = "instr" if connection.vendor == "sqlite" else "strpos"
    edge = "COALESCE(NULLIF(u.delimiter, ''), '|')"

    def stands(name: str) -> str:
        line, quoted = f"{edge} || j.raw || {edge}", f"""'"' || j.{name} || '"'"""
        return f"({find}({line}, {edge} || j.{name} || {edge}) > 0 OR {find}(j.raw, {quoted}) > 0)"

    free = ", ".join(["%s"] * len(settings.BILLING_FREE_STATES)) or "NULL"
    statement = f"""SELECT j.id FROM jobs j JOIN import_runs u ON u.id = j.import_run_id
        WHERE j.claimed_by <> '' AND j.raw <> ''
        AND (NOT {stands("username")} OR NOT {stands("account")} OR j.state IN ({free}))"""
    with connection.cursor() as cursor:
        cursor.execute(statement, settings.BILLING_FREE_STATES)
        found = [pk for (pk,) in cursor.fetchall()]
    for start in range(0, len(found), 500):
        yield from Job.objects.filter(pk__in=found[start : start + 500]).select_related("import_run")


def _not_in_record(job: Job) -> str:
    """Which of user, account and free state the record as it came contradicts; empty when none."""
    cells = {name.lower(): text.strip() for name, text in read_raw(job).items()}
    user = cells.get("association.user") or cells.get("user")
    if user is None:
        return ""  # not a record whose cells have names
    if user != job.username:
        return "user"
    if (cells.get("association.account") or cells.get("account", "")) != job.account:
        return "account"
    state = cells.get("state.current") or cells.get("state", "")
    if state and job.state in settings.BILLING_FREE_STATES and _state(state) != job.state:
        return "state"
    return ""


def _state(cell: str) -> str:
    try:
        return join_states(cell.split(", "))
    except RowError:
        return ""


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
