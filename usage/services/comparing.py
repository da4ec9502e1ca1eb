"""Two sets of jobs held against each other in the database: sums by month, user and account, and single records.

What a source says is put into a temporary table, so that memory stays bounded and a record
that comes twice counts once (the last one, as in an import). The same statements then sum
either side. Sums are exact beyond 64 bits: databases add 64-bit halves, Python joins them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.utils import timezone

from core.database.locks import need_session
from core.periods import day_start, month_start, next_month

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "reconcile_source"
SINGLES = "reconcile_single"
AMOUNTS = ("cpu_core_seconds", "gpu_seconds", "mem_mib_seconds")
_FACTS = ("username", "account", "state", "elapsed_seconds", *AMOUNTS)
_COLUMNS = ("job_key", "cluster", "job_id_display", "submit_at", "end_at", *_FACTS)
_HALF = 1 << 32


@dataclass(slots=True)
class Sums:
    """Jobs, core seconds, GPU seconds, MiB seconds."""

    jobs: int = 0
    cpu: int = 0
    gpu: int = 0
    mem: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(mine + theirs for mine, theirs in zip(self.cells(), other.cells(), strict=True)))

    def __sub__(self, other: Sums) -> Sums:
        return Sums(*(mine - theirs for mine, theirs in zip(self.cells(), other.cells(), strict=True)))

    def cells(self) -> tuple[int, ...]:
        return tuple(getattr(self, each.name) for each in fields(self))


Group = tuple[date, str, str]  # first day of the month, user, account


@dataclass(frozen=True, slots=True)
class Single:
    """A record that is missing here, missing at the source (``there``), or differs."""

    job_key: str
    kind: str
    group: Group


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a month of the site that lies in a window; ``whole`` when it is all of it."""

    month: date
    start: datetime
    end: datetime
    whole: bool


def months_of(start: datetime, end: datetime) -> list[Span]:
    """Months of the site that ``start <= t < end`` touches."""
    month = month_start(timezone.localtime(start, timezone.get_default_timezone()).date())
    found = []
    while (begins := day_start(month)) < end:
        ends = day_start(next_month(month))
        found.append(Span(month, max(begins, start), min(ends, end), start <= begins and ends <= end))
        month = next_month(month)
    return found


def prepare() -> None:
    """Make the temporary tables anew; the connection keeps them. ``Misconfigured`` behind a pooler, which does not."""
    need_session()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        cursor.execute(f"DROP TABLE IF EXISTS {SINGLES}")
        cursor.execute(
            f"CREATE TEMPORARY TABLE {TABLE} AS SELECT {', '.join(_COLUMNS)}, id AS ord FROM jobs WHERE 1 = 0"
        )


def load(records: pa.Table, first: int) -> None:
    """Put ended records of a batch aside, numbered from ``first`` in the order they came."""
    import pyarrow as pa

    from usage.services import bulk

    numbered = records.select(_COLUMNS).append_column("ord", pa.array(range(first, first + len(records)), pa.int64()))
    with transaction.atomic(), connection.cursor() as cursor:
        bulk.load(cursor, TABLE, numbered, {})


def settle(clusters: Sequence[str], spans: Sequence[Span]) -> None:
    """All is loaded: keep the last of each record, then note every single record that is not the same on both sides."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE INDEX {TABLE}_key ON {TABLE} (job_key)")
        cursor.execute(f"CREATE INDEX {TABLE}_end ON {TABLE} (username, end_at)")
        if connection.vendor == "postgresql":
            cursor.execute(f"ANALYZE {TABLE}")
        cursor.execute(
            f"DELETE FROM {TABLE} WHERE EXISTS (SELECT 1 FROM {TABLE} later"
            f" WHERE later.job_key = {TABLE}.job_key AND later.ord > {TABLE}.ord)"
        )
        where, values = _within(clusters, spans)
        unequal = " OR ".join(f"j.{name} <> s.{name}" for name in _FACTS)
        # The same record under the other kind of key (with a submit time from one source, without from another).
        known = (
            "SELECT 1 FROM {table} o WHERE o.username = a.username AND o.end_at = a.end_at AND o.cluster = a.cluster"
            " AND o.job_id_display = a.job_id_display AND (o.submit_at IS NULL) <> (a.submit_at IS NULL)"
        )
        cursor.execute(
            f"CREATE TEMPORARY TABLE {SINGLES} AS"
            " SELECT s.job_key, 'differs' AS kind, s.username, s.account, s.end_at"
            f" FROM {TABLE} s JOIN jobs j ON j.job_key = s.job_key"
            f" WHERE j.end_at IS NULL OR j.end_at <> s.end_at OR {unequal}"
            f" UNION ALL SELECT a.job_key, 'here', a.username, a.account, a.end_at FROM {TABLE} a"
            f" WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.job_key = a.job_key)"
            f" AND NOT EXISTS ({known.format(table='jobs')})"
            f" UNION ALL SELECT a.job_key, 'there', a.username, a.account, a.end_at FROM jobs a WHERE {where}"
            f" AND NOT EXISTS (SELECT 1 FROM {TABLE} s WHERE s.job_key = a.job_key)"
            f" AND NOT EXISTS ({known.format(table=TABLE)})",
            values,
        )


def source_clusters() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT cluster FROM {TABLE} ORDER BY cluster")
        return [row[0] for row in cursor.fetchall()]


def sums(table: str, clusters: Sequence[str], spans: Sequence[Span]) -> dict[Group, Sums]:
    """Ended jobs of ``table`` (``jobs`` or ``TABLE``) in the window, summed by month, user and account."""
    where, values = _within(clusters, spans)
    month, months = _month(spans)
    halves = ", ".join(f"SUM({name} / {_HALF}), SUM({name} %% {_HALF})" for name in AMOUNTS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {month}, username, account, COUNT(*), {halves} FROM {table} a WHERE {where} GROUP BY 1, 2, 3",
            [*months, *values],
        )
        rows = cursor.fetchall()
    return {(spans[place].month, user, account): _joined(jobs, parts) for place, user, account, jobs, *parts in rows}


def _joined(jobs: int, parts: Sequence[Any]) -> Sums:
    return Sums(jobs, *(int(high) * _HALF + int(low) for high, low in zip(parts[::2], parts[1::2], strict=True)))


def count_singles() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT kind, COUNT(*) FROM {SINGLES} GROUP BY kind")
        return dict(cursor.fetchall())


def name_singles(kind: str, limit: int) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT job_key FROM {SINGLES} WHERE kind = %s ORDER BY job_key LIMIT {limit}", [kind])
        return [row[0] for row in cursor.fetchall()]


def groups_of_singles(spans: Sequence[Span]) -> set[Group]:
    month, months = _month(spans)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT {month}, username, account FROM {SINGLES} a", months)
        return {(spans[place].month, user, account) for place, user, account in cursor.fetchall()}


def _within(clusters: Sequence[str], spans: Sequence[Span]) -> tuple[str, list[Any]]:
    marks = ", ".join(["%s"] * len(clusters))
    return f"a.cluster IN ({marks}) AND a.end_at >= %s AND a.end_at < %s", [
        *clusters, moment(spans[0].start), moment(spans[-1].end),
    ]  # fmt: skip


def _month(spans: Sequence[Span]) -> tuple[str, list[Any]]:
    """SQL for the place of a job's month among ``spans``."""
    cases = " ".join(f"WHEN a.end_at < %s THEN {place}" for place in range(len(spans)))
    return f"CASE {cases} END", [moment(span.end) for span in spans]


def moment(value: datetime) -> Any:
    """An instant as the columns keep it."""
    return connection.ops.adapt_datetimefield_value(value)
