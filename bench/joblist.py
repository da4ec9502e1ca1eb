"""joblist: one user's first and deep page of the usage list among ten million jobs, as the database sees it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from typing import Any

from bench import world
from bench.measure import Outcome, pairs, rows

LIMIT_MS = 2.0
USERS = 2_000
USER = "user0007"
_FILL = """
INSERT INTO jobs (job_key, cluster, job_id, job_id_display, username, account, partition, qos, job_name, state,
    exit_code, submit_at, start_at, end_at, elapsed_seconds, cpus, gpus, gpu_types, mem_mib, nodes, req_cpus,
    req_gpus, req_mem_mib, cpu_core_seconds, gpu_seconds, mem_mib_seconds, claimed_by, source, import_run_id, raw)
SELECT 'c:' || n || ':1', 'c', n, n::text, 'user' || lpad((n %% {users})::text, 4, '0'), 'acct' || (n %% 60), 'normal',
    'normal', 'job', 'COMPLETED', '0:0', t, t, t + interval '1 hour', 3600, 4, 0, '{{}}', 4096, 1, 4, 0, 4096, 14400, 0,
    14745600, {claimed}, 'csv', %s, ''
FROM (SELECT n, timestamptz '2024-01-01Z' + n * interval '{step} second' AS t FROM generate_series(%s, %s) n) numbered
"""


def run() -> Outcome:
    number = rows(10_000_000)
    fill(number)
    from billing.selectors.jobs.job_pages import page
    from billing.selectors.jobs.usage import UsageFilter

    flt = UsageFilter(username=USER)
    cursor = ""
    for _ in range(max(1, min(20, number // USERS // 50 - 1))):
        cursor = page(flt, after=cursor).next_cursor or cursor
    first, deep = measure(lambda: page(flt)), measure(lambda: page(flt, after=cursor))
    world.empty()
    worst = max(first["ms"], deep["ms"])
    return Outcome(
        name="joblist",
        ratio=worst / LIMIT_MS,
        goal=1.0,
        higher_is_better=False,
        limit=f"{LIMIT_MS:g} ms in the database for all statements of a page of 50",
        figures={"rows": number, "users": USERS, "first": first, "deep": deep},
    )


def fill(number: int, claimed: str = "''") -> None:
    """``claimed`` is the SQL of what has billed job ``n``; by default nothing has."""
    from django.db import connection, transaction

    from usage.models import ImportRun

    world.empty()
    run = ImportRun.objects.create(source="csv", cluster="c", status="done", actor="system")
    statement = _FILL.format(
        users=min(USERS, max(10, number // 300)), step=max(1, 63_000_000 // number), claimed=claimed
    )
    with connection.cursor() as cursor:
        for first in range(1, number + 1, 500_000):
            with transaction.atomic():
                cursor.execute(statement, [run.pk, first, min(number, first + 499_999)])
        cursor.execute("VACUUM (ANALYZE) jobs")


def measure(work: Callable[[], Any]) -> dict[str, Any]:
    """Milliseconds of the database, planning included, by EXPLAIN ANALYZE of every statement of the page."""
    from django.db import connection

    statements: list[tuple[str, Any]] = []

    def note(execute: Any, statement: str, parameters: Any, many: bool, context: Any) -> Any:
        statements.append((statement, parameters))
        return execute(statement, parameters, many, context)

    with connection.execute_wrapper(note):
        work()
    totals, slowest = [], {}
    for _ in range(pairs()):
        total = 0.0
        for statement, parameters in statements:
            if not statement.lstrip().upper().startswith(("SELECT", "WITH")):
                continue
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
                (plan,) = cursor.fetchone()
            found = (json.loads(plan) if isinstance(plan, str) else plan)[0]
            spent = found["Execution Time"] + found["Planning Time"]
            slowest[" ".join(statement.split())[:60]] = round(spent, 3)
            total += spent
        totals.append(total)
    return {"ms": round(statistics.median(totals), 3), "statements": len(statements), "each_ms": slowest}
