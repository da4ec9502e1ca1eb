"""The set-wise half of an import: which rows of a batch are new, known or changed, and writing them.

What lies above the cluster's high-water marks cannot be known and goes straight into
``jobs``. The rest is compared by way of a narrow temporary table: one verdict a row.
Runs on PostgreSQL (COPY) and SQLite (executemany) with the same statements.
Must be called inside a transaction that holds the import lock: between verdict
and write nothing else may add jobs, and rows to be changed are locked first so
that a document claiming them meanwhile is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db import IntegrityError, connection, transaction

from core.database.locks import need_session
from core.periods import Window
from usage.records import COLUMNS
from usage.services import bulk
from usage.services.marks import Marks

STORED = (*COLUMNS, "hold")
# What identifies a record, and what a bill depends on: enough for a verdict.
COMPARED = (
    "job_key", "cluster", "job_id", "job_id_display", "submit_at", "username", "account", "state", "start_at",
    "end_at", "elapsed_seconds", "cpus", "gpus", "gpu_types", "mem_mib", "used_cpu_seconds",
)  # fmt: skip
_BILLED_ON = ("username", "account", "state", "elapsed_seconds", "cpus", "gpus", "mem_mib")
# The record's identity stays; a source that knows less must not blank what another one knew.
_IDENTITY = ("job_key", "cluster")
_KEPT_WHEN_EMPTY = ("account", "partition", "qos", "job_name", "exit_code")
_KEPT_WHEN_NULL = ("used_cpu_seconds", "billing_tres")
_CHANGES = ("update", "again", "refresh")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Rows of one batch by what became of them.

    ``claimed`` are records (``STORED``) that differ from what a document bills or would change
    a frozen window, ``clashes`` records whose key another kind of record has; neither was written. ``same`` and
    ``written`` are job keys: what is stored already as it was read, and what replaced it.
    """

    imported: int
    updated: int
    duplicate: int
    pending: int
    claimed: pa.Table
    clashes: pa.Table
    same: pa.ChunkedArray
    written: pa.ChunkedArray


def prepare() -> None:
    """Make the temporary tables anew; call it once a run. ``Misconfigured`` behind a pooler, which keeps none."""
    need_session()
    with connection.cursor() as cursor:
        for table, columns in (("import_stage", COMPARED), ("import_change", STORED)):
            cursor.execute(f"DROP TABLE IF EXISTS {table}")
            cursor.execute(
                f"CREATE TEMPORARY TABLE {table} AS SELECT {', '.join(columns)}, 0 AS ord, '' AS verdict"
                " FROM jobs WHERE 1 = 0"
            )


def write(records: pa.Table, marks: Marks, *, run_id: int, source: str, frozen: Sequence[Window]) -> Outcome:
    """Store one batch (``STORED``, keys unique within it); see the module's docstring for what must hold.

    New records come in whenever they ended; a stored job that ended in a ``frozen`` window, or would
    by the new record, stays as it is.
    """
    with connection.cursor() as cursor:
        bulk.mend_statistics(cursor, "jobs")
        stored_weak = _has_weak(cursor)
        fresh = marks.above(records)
        new = records.slice(0, 0) if stored_weak else records.filter(fresh)
        known = records if stored_weak else records.filter(pc.invert(fresh))
        if not _insert_new(cursor, new, run_id, source):
            new, known = new.slice(0, 0), records
        verdicts = _judge(cursor, known, run_id, weak=stored_weak, frozen=frozen)
        _insert(cursor, late := _taken(known, verdicts, ""), run_id, source)
        changed = _taken(known, verdicts, *_CHANGES)
        _update(cursor, changed, run_id, source)
        marks.raise_to(records)
    kinds = pa.chunked_array([verdicts])
    is_open = pc.is_null(known["end_at"])

    def ended(*wanted: str) -> int:
        among = pc.and_(pc.is_in(kinds, pa.array(wanted)), pc.invert(is_open))
        return int(pc.sum(among).as_py() or 0)

    return Outcome(
        imported=len(new) + len(late) - new["end_at"].null_count - late["end_at"].null_count,
        updated=ended("update"),
        duplicate=ended("same", "elsewhere", "again"),
        pending=records["end_at"].null_count,
        claimed=_taken(known, verdicts, "claimed"),
        clashes=_taken(known, verdicts, "clash"),
        same=_taken(known.select(["job_key"]), verdicts, "same")["job_key"],
        written=changed["job_key"],
    )


def _taken(records: pa.Table, verdicts: pa.Array, *wanted: str) -> pa.Table:
    return records.filter(pc.is_in(verdicts, pa.array(wanted))) if len(records) else records


def _insert_new(cursor: Any, records: pa.Table, run_id: int, source: str) -> bool:
    """Straight in. False, and nothing stored, when the marks were too low after all and a key is known."""
    try:
        with transaction.atomic():
            _insert(cursor, records, run_id, source)
    except IntegrityError:
        return False
    return True


def _insert(cursor: Any, records: pa.Table, run_id: int, source: str) -> None:
    constants: dict[str, str | int] = {"claimed_by": "", "source": source, "import_run_id": run_id}
    bulk.load(cursor, "jobs", records.select(STORED), constants)


# --- verdicts ----------------------------------------------------------------
def _same() -> str:
    """True where the staged record ``s`` would be billed as the stored one ``j``.

    Used CPU alone may become known later, but a billed record is not touched for it.
    """
    is_same = "IS NOT DISTINCT FROM" if connection.vendor == "postgresql" else "IS"
    types = (
        "j.gpu_types = s.gpu_types" if connection.vendor == "postgresql" else "json(j.gpu_types) = json(s.gpu_types)"
    )
    equal = " AND ".join(f"j.{name} = s.{name}" for name in _BILLED_ON)
    return (
        f"{equal} AND j.start_at {is_same} s.start_at AND j.end_at {is_same} s.end_at AND {types} AND"
        " (j.claimed_by <> '' OR s.used_cpu_seconds IS NULL OR j.used_cpu_seconds = s.used_cpu_seconds)"
    )


# stale: it has ended here already; refresh: still not ended; same: nothing new; claimed: a document bills it, or
# its window is frozen;
# elsewhere (below): it is stored under a key of the other kind, and was not compared;
# again: this very run wrote it (the same key twice in one input, the last wins); update: changed.
def _verdict(frozen: Sequence[Window]) -> str:
    stands = " OR ".join(["j.claimed_by <> ''", *_ends_in(frozen, "j.end_at"), *_ends_in(frozen, "s.end_at")])
    return f"""CASE
    WHEN s.end_at IS NULL AND j.end_at IS NOT NULL THEN 'stale'
    WHEN s.end_at IS NULL THEN 'refresh'
    WHEN {_same()} THEN 'same'
    WHEN {stands} THEN 'claimed'
    WHEN j.import_run_id = %s AND j.end_at IS NOT NULL THEN 'again'
    ELSE 'update' END"""


def _ends_in(windows: Sequence[Window], column: str) -> list[str]:
    """One condition a window. Its instants stand in the statement: they are few, and our own."""
    adapt = connection.ops.adapt_datetimefield_value
    return [
        " AND ".join(
            f"{column} {compared} '{adapt(edge)}'"
            for compared, edge in ((">=", window.start), ("<", window.end))
            if edge is not None
        )
        for window in windows
    ]


_SAME_KEY = "j.job_key = s.job_key AND (j.submit_at IS NULL) = (s.submit_at IS NULL)"
# Ordered, so that the partial index answers: without statistics an EXISTS would read all jobs to find none.
_WEAK_STORED = "SELECT (SELECT job_key FROM jobs WHERE submit_at IS NULL ORDER BY job_key LIMIT 1) IS NOT NULL"

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
UPDATE import_stage AS s SET verdict = 'elsewhere' FROM jobs j
WHERE s.verdict = '' AND s.end_at IS NOT NULL AND j.username = s.username AND j.end_at = s.end_at
    AND j.cluster = s.cluster AND j.job_id_display = s.job_id_display AND (j.submit_at IS NULL) <> (s.submit_at IS NULL)
"""
_OPEN_UNDER_OTHER_KEY = """
UPDATE import_stage AS s SET verdict = 'stale' FROM jobs j
WHERE s.verdict = '' AND s.end_at IS NULL AND s.submit_at IS NULL AND j.username = s.username
    AND j.cluster = s.cluster AND j.job_id_display = s.job_id_display
    AND (j.submit_at IS NOT NULL OR j.end_at IS NOT NULL)
"""
# Two records whose keys of different kinds read the same: a resized job ends when its next record is submitted.
_CLASH = """
UPDATE import_stage AS s SET verdict = CASE WHEN s.end_at IS NULL THEN 'stale' ELSE 'clash' END
FROM jobs j WHERE s.verdict = '' AND j.job_key = s.job_key
"""


def _has_weak(cursor: Any) -> bool:
    cursor.execute(_WEAK_STORED)
    return bool(cursor.fetchone()[0])


def _judge(cursor: Any, records: pa.Table, run_id: int, *, weak: bool, frozen: Sequence[Window]) -> pa.Array:
    """One verdict a record, in their order; empty for a new one."""
    verdicts = [""] * len(records)
    if len(records):
        _stage(cursor, records)
        if weak or records["submit_at"].null_count:
            _judge_with_weak(cursor, run_id, frozen)
            cursor.execute("SELECT ord, verdict FROM import_stage WHERE verdict <> ''")
        else:
            cursor.execute(compare_sql(frozen), [run_id])
        for place, verdict in cursor.fetchall():
            verdicts[place] = verdict
        _lock_changed(cursor, records["job_key"], verdicts)
    return pa.array(verdicts, pa.string())


def compare_sql(frozen: Sequence[Window] = ()) -> str:
    """The verdict of each staged record whose key is stored; one parameter, the run.

    On PostgreSQL the jobs stand in a fenced LATERAL, so that no statistics, however wrong,
    make the planner turn it round and look through the staged rows for each job.
    """
    if connection.vendor == "postgresql":
        known = f"SELECT {_verdict(frozen)} AS verdict FROM jobs j WHERE {_SAME_KEY} OFFSET 0"
        return f"SELECT s.ord, known.verdict FROM import_stage s CROSS JOIN LATERAL ({known}) known"
    return f"SELECT s.ord, {_verdict(frozen)} FROM import_stage s JOIN jobs j ON {_SAME_KEY}"


def _stage(cursor: Any, records: pa.Table) -> None:
    if connection.vendor == "postgresql":
        # One look into an index for each staged row: any other plan reads more of ``jobs`` the larger it grows.
        cursor.execute("SET LOCAL enable_hashjoin = off")
        cursor.execute("SET LOCAL enable_mergejoin = off")
    _empty(cursor, "import_stage")
    numbered = records.select(COMPARED).append_column("ord", pa.array(range(len(records)), pa.int64()))
    bulk.load(cursor, "import_stage", numbered, {"verdict": ""})


def _empty(cursor: Any, table: str) -> None:
    # Deleted rows of a temporary table are never vacuumed: on PostgreSQL each batch would be slower than the last.
    cursor.execute(f"TRUNCATE {table}" if connection.vendor == "postgresql" else f"DELETE FROM {table}")


def _judge_with_weak(cursor: Any, run_id: int, frozen: Sequence[Window]) -> None:
    verdict = _verdict(frozen)
    judge = f"UPDATE import_stage AS s SET verdict = {verdict} FROM jobs j WHERE s.verdict = '' AND {_SAME_KEY}"
    cursor.execute(judge, [run_id])
    cursor.execute(_SAME_UNDER_OTHER_KEY)
    cursor.execute(_ADOPT)
    cursor.execute(judge, [run_id])  # what was adopted is known now
    cursor.execute(_OPEN_UNDER_OTHER_KEY)
    cursor.execute(_CLASH)


def _lock_changed(cursor: Any, keys: pa.ChunkedArray, verdicts: list[str]) -> None:
    """Lock what is to be changed; a document that has claimed a job since the verdict wins."""
    places = {key: place for place, key in enumerate(keys.to_pylist()) if verdicts[place] in _CHANGES}
    if not places or connection.vendor != "postgresql":
        return
    cursor.execute(
        "SELECT job_key, claimed_by FROM jobs WHERE job_key = ANY(%s) ORDER BY id FOR UPDATE", [list(places)]
    )
    for key, document in cursor.fetchall():
        if document:
            verdicts[places[key]] = "claimed"


# --- changes -----------------------------------------------------------------
def _update(cursor: Any, records: pa.Table, run_id: int, source: str) -> None:
    if not len(records):
        return
    _empty(cursor, "import_change")
    bulk.load(cursor, "import_change", records.select(STORED), {"verdict": ""})
    cursor.execute(_update_sql(), [source, run_id])


def _update_sql() -> str:
    # Finance's word that a long job is real holds for as long as the job has that length.
    cleared = "jobs.hold = 'cleared' AND jobs.elapsed_seconds = s.elapsed_seconds"
    changes = [f"hold = CASE WHEN {cleared} THEN jobs.hold ELSE s.hold END"]
    for name in COLUMNS:
        if name in _KEPT_WHEN_EMPTY:
            changes.append(f"{name} = CASE WHEN s.{name} = '' THEN jobs.{name} ELSE s.{name} END")
        elif name in _KEPT_WHEN_NULL:
            changes.append(f"{name} = COALESCE(s.{name}, jobs.{name})")
        elif name not in _IDENTITY:
            changes.append(f"{name} = s.{name}")
    return (
        f"UPDATE jobs SET {', '.join(changes)}, source = %s, import_run_id = %s, updated_at = CURRENT_TIMESTAMP "
        "FROM import_change s WHERE jobs.job_key = s.job_key AND jobs.claimed_by = ''"
    )
