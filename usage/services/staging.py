"""The set-wise half of an import: a temporary table, one verdict a row, one INSERT and one UPDATE.

Runs on PostgreSQL (COPY) and SQLite (executemany) with the same statements.
Must be called inside a transaction that holds the import lock: between verdict
and write nothing else may add jobs, and rows to be changed are locked first so
that a document claiming them meanwhile is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from time import gmtime, strftime
from typing import Any

from django.db import connection

from usage.records import COLUMNS, JobRecord

TIMES = ("submit_at", "start_at", "end_at")  # side by side in JobRecord
# The record's identity stays; a source that knows less must not blank what another one knew.
_KEPT_WHEN_EMPTY = ("account", "partition", "qos", "job_name", "exit_code")
_KEPT_WHEN_NULL = ("used_cpu_seconds", "billing_tres")
_IDENTITY = ("job_key", "cluster")

_CREATE = f"CREATE TEMPORARY TABLE import_stage AS SELECT {', '.join(COLUMNS)}, '' AS verdict FROM jobs WHERE 1 = 0"
_INDEX = "CREATE INDEX import_stage_key ON import_stage (job_key)"

# stale: it has ended here already; refresh: still not ended; same: nothing new; claimed: a document bills it;
# again: this very run wrote it (the same key twice in one input, the last wins); update: changed.
_JUDGE = """
UPDATE import_stage SET verdict = CASE
    WHEN import_stage.end_at IS NULL AND j.end_at IS NOT NULL THEN 'stale'
    WHEN import_stage.end_at IS NULL THEN 'refresh'
    WHEN j.fingerprint = import_stage.fingerprint AND (
        j.claimed_by <> '' OR import_stage.used_cpu_seconds IS NULL
        OR (j.used_cpu_seconds IS NOT NULL AND j.used_cpu_seconds = import_stage.used_cpu_seconds)
    ) THEN 'same'
    WHEN j.claimed_by <> '' THEN 'claimed'
    WHEN j.import_run_id = %s AND j.end_at IS NOT NULL THEN 'again'
    ELSE 'update' END
FROM jobs j
WHERE import_stage.verdict = '' AND j.job_key = import_stage.job_key
    AND (j.submit_at IS NULL) = (import_stage.submit_at IS NULL)
"""

_LOCK = """
SELECT j.id FROM jobs j JOIN import_stage s ON s.job_key = j.job_key
WHERE j.fingerprint <> s.fingerprint OR (s.used_cpu_seconds IS NOT NULL AND j.used_cpu_seconds IS NULL)
ORDER BY j.id FOR UPDATE OF j
"""

# Ordered, so that the partial index answers: without statistics an EXISTS would read all jobs to find none.
_HAS_WEAK = """
SELECT (SELECT job_key FROM jobs WHERE submit_at IS NULL ORDER BY job_key LIMIT 1) IS NOT NULL,
    EXISTS (SELECT 1 FROM import_stage WHERE submit_at IS NULL)
"""

# A record first seen "not ended" without a submit time gets its final key when it comes back as more than that.
_ADOPT = """
UPDATE jobs SET job_key = s.job_key, submit_at = s.submit_at, job_id = s.job_id
FROM (
    SELECT cluster || ':' || job_id_display || ':0' AS open_key, username, MAX(job_key) AS job_key
    FROM import_stage c
    WHERE verdict = '' AND (end_at IS NOT NULL OR submit_at IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM jobs known WHERE known.job_key = c.job_key)
    GROUP BY 1, 2
) pick JOIN import_stage s ON s.job_key = pick.job_key
WHERE jobs.job_key = pick.open_key AND jobs.submit_at IS NULL AND jobs.username = pick.username
"""

# One record under two kinds of key: with a submit time from one source, without from another.
_SAME_UNDER_OTHER_KEY = """
UPDATE import_stage SET verdict = 'same' FROM jobs j
WHERE import_stage.verdict = '' AND import_stage.end_at IS NOT NULL
    AND j.username = import_stage.username AND j.end_at = import_stage.end_at AND j.cluster = import_stage.cluster
    AND j.job_id_display = import_stage.job_id_display
    AND (j.submit_at IS NULL) <> (import_stage.submit_at IS NULL)
"""
_OPEN_UNDER_OTHER_KEY = """
UPDATE import_stage SET verdict = 'stale' FROM jobs j
WHERE import_stage.verdict = '' AND import_stage.end_at IS NULL AND import_stage.submit_at IS NULL
    AND j.username = import_stage.username AND j.cluster = import_stage.cluster
    AND j.job_id_display = import_stage.job_id_display AND j.submit_at IS NOT NULL
"""
# Two records whose keys of different kinds read the same: a resized job ends when its next record is submitted.
_CLASH = """
UPDATE import_stage SET verdict = CASE WHEN import_stage.end_at IS NULL THEN 'stale' ELSE 'clash' END
FROM jobs j WHERE import_stage.verdict = '' AND j.job_key = import_stage.job_key
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Rows of one chunk by what became of them; ``refused`` are (verdict claimed or clash, job key, raw)."""

    imported: int
    updated: int
    duplicate: int
    pending: int
    refused: list[tuple[str, str, str]]


def prepare() -> None:
    """Make the temporary table anew; call it once a run."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS import_stage")
        cursor.execute(_CREATE)
        cursor.execute(_INDEX)


def write(records: Sequence[JobRecord], *, run_id: int, source: str) -> Outcome:
    """Store one chunk (keys unique within it); see the module's docstring for what must hold."""
    with connection.cursor() as cursor:
        # Deleted rows of a temporary table are never vacuumed: on PostgreSQL each chunk would be slower than the last.
        cursor.execute("TRUNCATE import_stage" if connection.vendor == "postgresql" else "DELETE FROM import_stage")
        _load(cursor, records)
        _judge(cursor, run_id)
        cursor.execute(_insert_sql(), [source, run_id])
        cursor.execute(_update_sql(), [source, run_id])
        cursor.execute("SELECT verdict, end_at IS NULL, COUNT(*) FROM import_stage GROUP BY 1, 2")
        counts: dict[tuple[str, bool], int] = {(verdict, bool(is_open)): n for verdict, is_open, n in cursor.fetchall()}
        cursor.execute(
            "SELECT verdict, job_key, raw FROM import_stage WHERE verdict IN ('claimed', 'clash') ORDER BY 2"
        )
        refused = [(str(verdict), str(key), str(raw)) for verdict, key, raw in cursor.fetchall()]
    return Outcome(
        imported=counts.get(("", False), 0),
        updated=counts.get(("update", False), 0),
        duplicate=counts.get(("same", False), 0) + counts.get(("again", False), 0),
        pending=sum(n for (_, is_open), n in counts.items() if is_open),
        refused=refused,
    )


def _judge(cursor: Any, run_id: int) -> None:
    postgresql = connection.vendor == "postgresql"
    if postgresql:
        cursor.execute("ANALYZE import_stage")  # the planner must see 5,000 rows, not guess at a hash of all jobs
        cursor.execute(_LOCK)
    cursor.execute(_JUDGE, [run_id])
    cursor.execute(_HAS_WEAK)
    stored, staged = cursor.fetchone()
    if stored or staged:
        cursor.execute(_SAME_UNDER_OTHER_KEY)
        cursor.execute(_ADOPT)
        cursor.execute(_JUDGE, [run_id])  # what was adopted is known now
        cursor.execute(_OPEN_UNDER_OTHER_KEY)
        cursor.execute(_CLASH)


def _load(cursor: Any, records: Sequence[JobRecord]) -> None:
    names = ", ".join((*COLUMNS, "verdict"))
    if connection.vendor == "postgresql":
        # The driver's own call: its errors must still come out as Django's.
        with connection.wrap_database_errors, cursor.copy(f"COPY import_stage ({names}) FROM STDIN") as copy:
            for row in _rows(records, offset="+00"):
                copy.write_row(row)
        return
    marks = ", ".join(["%s"] * (len(COLUMNS) + 1))
    # SQLite keeps UTC without an offset, as Django writes it.
    cursor.executemany(f"INSERT INTO import_stage ({names}) VALUES ({marks})", list(_rows(records, offset="")))


def _rows(records: Sequence[JobRecord], *, offset: str) -> Iterator[tuple[Any, ...]]:
    as_row = attrgetter(*COLUMNS)
    first = COLUMNS.index(TIMES[0])
    last = first + len(TIMES)
    for record in records:
        row = as_row(record)
        times = [None if epoch is None else _timestamp(epoch) + offset for epoch in row[first:last]]
        yield (*row[:first], *times, *row[last:], "")


@lru_cache(maxsize=65_536)
def _timestamp(epoch: int) -> str:
    return strftime("%Y-%m-%d %H:%M:%S", gmtime(epoch))


def _insert_sql() -> str:
    names = ", ".join(COLUMNS)
    return (
        f"INSERT INTO jobs ({names}, claimed_by, source, import_run_id) "
        f"SELECT {names}, '', %s, %s FROM import_stage WHERE verdict = ''"
    )


def _update_sql() -> str:
    changes = []
    for name in COLUMNS:
        if name in _KEPT_WHEN_EMPTY:
            changes.append(f"{name} = CASE WHEN s.{name} = '' THEN jobs.{name} ELSE s.{name} END")
        elif name in _KEPT_WHEN_NULL:
            changes.append(f"{name} = COALESCE(s.{name}, jobs.{name})")
        elif name not in _IDENTITY:
            changes.append(f"{name} = s.{name}")
    return (
        f"UPDATE jobs SET {', '.join(changes)}, source = %s, import_run_id = %s, updated_at = CURRENT_TIMESTAMP "
        "FROM import_stage s WHERE jobs.job_key = s.job_key AND s.verdict IN ('update', 'again', 'refresh') "
        "AND jobs.claimed_by = ''"
    )
