"""Arrow tables into the database: COPY on PostgreSQL, executemany on SQLite."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db import connection
from pyarrow import csv

from usage.batches import TIMES

_OPTIONS = csv.WriteOptions(include_header=False)
_PAGES_THAT_MATTER = 100  # of a smaller table any plan is quick


def load(cursor: Any, table: str, records: pa.Table, constants: dict[str, str | int]) -> None:
    """Append ``records`` to ``table``; ``constants`` are columns that are the same for every row.

    Times are epoch seconds in ``records``. PostgreSQL reads them in UTC, SQLite keeps UTC
    without an offset, as Django writes it.
    """
    if not len(records):
        return
    records = _with_times(records)
    names = [*records.column_names, *constants]
    if connection.vendor == "postgresql":
        for value in constants.values():
            records = records.append_column("", pa.repeat(value, len(records)))
        _copy(cursor, f"COPY {table} ({', '.join(names)}) FROM STDIN (FORMAT csv)", records)
        return
    cells = ["%s"] * records.num_columns + [_literal(value) for value in constants.values()]
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(cells)})"
    cursor.executemany(statement, zip(*(column.to_pylist() for column in records.columns), strict=True))


def _literal(value: str | int) -> str:
    """The few constants of a run, such as its number: into the statement, not into a hundred thousand rows."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''").replace("%", "%%") + "'"


def _copy(cursor: Any, statement: str, records: pa.Table) -> None:
    """CSV tells null (nothing) from empty text (two quotes)."""
    sink = BytesIO()
    csv.write_csv(records, sink, _OPTIONS)
    cursor.execute("SET LOCAL TIME ZONE 'UTC'")
    # The driver's own call: its errors must still come out as Django's.
    with connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.write(sink.getbuffer())


def _with_times(records: pa.Table) -> pa.Table:
    for place, name in enumerate(records.column_names):
        if name in TIMES:
            moments = pc.cast(pc.cast(records[name], pa.timestamp("s")), pa.string())
            records = records.set_column(place, name, moments)
    return records


def mend_statistics(cursor: Any, table: str) -> bool:
    """PostgreSQL: take the planner's figures of ``table`` anew where they say "empty" of a table that is not.

    An autovacuum that meets a table whose only rows are not committed yet leaves "no rows
    on many pages" behind. Every plan made from that reads the whole table for each row it
    looks up, until the next autovacuum. Returns whether it was so.
    """
    if connection.vendor != "postgresql":
        return False
    cursor.execute(
        "SELECT reltuples BETWEEN 0 AND relpages - 1 AND pg_relation_size(oid) > 8192 * %s FROM pg_class"
        " WHERE oid = %s::regclass",
        [_PAGES_THAT_MATTER, table],
    )
    if absurd := bool(cursor.fetchone()[0]):
        cursor.execute(f"ANALYZE {table}")
    return absurd
