"""receipts: one receipt of N jobs against COPY of the same lines into the same table."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import world
from bench.measure import Outcome, in_turn, rows, timed

USER = "bench"
_FILL = """
INSERT INTO jobs (job_key, cluster, job_id, job_id_display, username, account, partition, qos, job_name, state,
    exit_code, submit_at, start_at, end_at, elapsed_seconds, cpus, gpus, gpu_types, mem_mib, nodes, req_cpus,
    req_gpus, req_mem_mib, cpu_core_seconds, gpu_seconds, mem_mib_seconds, claimed_by, source, import_run_id, raw)
SELECT 'c:' || n || ':1', 'c', n, n::text, %s, 'acct' || (n %% 3), 'normal', 'normal', 'job', 'COMPLETED', '0:0',
    t, t, t + make_interval(secs => s), s, c, g, '{}', m, 1, c, g, m, c * s, g * s, m * s, '', 'csv', %s, ''
FROM (SELECT n, timestamptz '2026-01-01Z' + n * interval '1 second' AS t, 1 + n * 7919 %% 86400 AS s,
    1 + n %% 64 AS c, n %% 5 AS g, 512 + n * 31 %% 65536 AS m FROM generate_series(1::bigint, %s) n) numbered
"""


def run() -> Outcome:
    most = rows(100_000)
    sizes = sorted({max(10, most // 100), max(10, most // 10), most})
    found = {size: _of(size) for size in sizes}
    statements = {each["statements"] for each in found.values()}
    peaks = [each["peak_kib"] for each in found.values()]
    worst = min(each["ratio"] for each in found.values())
    return Outcome(
        name="receipts",
        ratio=worst,
        goal=0.5,
        higher_is_better=True,
        limit="COPY of the same lines into the same table with the same indexes; the smallest of the ratios counts",
        figures={
            "rows": most,
            "by_jobs": {str(size): each for size, each in found.items()},
            "durable": world.is_durable(),
        },
        also=world.is_durable() and len(statements) == 1 and max(peaks) <= 2 * min(peaks) + 256,
    )


def _of(number: int) -> dict[str, Any]:
    """Five pairs with ``number`` jobs; statements and Python's peak memory are counted in a run of their own."""
    _fill(number)
    with TemporaryDirectory() as folder:
        lines = Path(folder) / "lines"
        receipt = _create()
        _save(receipt, lines)
        total = receipt.total
        _undo()
        statements, peak, claiming = _watched()

        def ours() -> float:
            _undo()
            made: list[Any] = []
            seconds = timed(lambda: made.append(_create()))
            assert (made[0].total, made[0].items.count()) == (total, number)
            return seconds

        def limit() -> float:
            _undo()
            return _copy(lines)

        pairs = in_turn(ours, limit)
        _undo()
    ratio = pairs.ratio(lambda ours, limit: limit / ours)
    return {
        "ratio": round(ratio, 3),
        "statements": statements,
        "peak_kib": peak,
        "share_of_claiming": claiming,
        **pairs.figures("create", "copy", number),
    }


def _fill(number: int) -> None:
    from django.db import connection

    from accounts.models import User
    from usage.models import ImportRun

    world.empty()
    User.objects.get_or_create(username=USER)
    run = ImportRun.objects.create(source="csv", cluster="c", status="done", actor="system")
    with connection.cursor() as cursor:
        cursor.execute(_FILL, [USER, run.pk, number])
        cursor.execute("VACUUM (ANALYZE) jobs")


def _create() -> Any:
    from billing.services.receipts import create_receipts
    from core.context import SYSTEM

    (receipt,) = create_receipts(actor=SYSTEM, username=USER)
    return receipt


def _watched() -> tuple[int, int, float]:
    """Statements, Python's peak memory in KiB, and the share of the time that claiming the jobs takes."""
    from django.db import connection

    number, spent = 0, {True: 0.0, False: 0.0}

    def count(execute: Any, statement: str, *rest: Any) -> Any:
        nonlocal number
        number += 1
        began = time.perf_counter()
        try:
            return execute(statement, *rest)
        finally:
            spent[" UPDATE jobs " in statement] += time.perf_counter() - began

    tracemalloc.start()
    with connection.execute_wrapper(count):
        _create()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return number, peak // 1024, round(spent[True] / sum(spent.values()), 2)


def _undo() -> None:
    """As before: no receipt, every job free, and nothing left to write or to clean up."""
    from django.db import connection

    world.truncate("receipts, document_counters")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs SET claimed_by = '' WHERE claimed_by <> ''")
        cursor.execute("VACUUM (ANALYZE) jobs")
        cursor.execute("CHECKPOINT")


def _save(receipt: Any, path: Path) -> None:
    """The lines as the database itself writes them out, and their header."""
    from django.db import connection

    connection.ensure_connection()
    for table in ("receipts", "receipt_items"):
        target = path.with_suffix(f".{table}")
        with target.open("wb") as handle, connection.connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
            for piece in copy:
                handle.write(piece)


def _copy(path: Path) -> float:
    from django.db import connection, transaction

    def load() -> None:
        with transaction.atomic():
            for table in ("receipts", "receipt_items"):
                source = path.with_suffix(f".{table}")
                with (
                    source.open("rb") as handle,
                    connection.cursor() as cursor,
                    cursor.copy(f"COPY {table} FROM STDIN") as copy,
                ):
                    while piece := handle.read(1 << 18):
                        copy.write(piece)

    return timed(load)
