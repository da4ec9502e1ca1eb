"""Many rows at once: COPY and one UPDATE where the database has them, Django's own statements elsewhere.

What is written is what ``bulk_create`` and ``bulk_update`` would write; checks, keys and triggers hold alike.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models.expressions import DatabaseDefault
from django.utils import timezone

Row = TypeVar("Row", bound=models.Model)
FEW = 500  # rows of a statement where there is no COPY


@contextmanager
def unswept() -> Iterator[None]:
    """No search for cycles while a bounded set of rows is built: it would walk all of them again and again, and they
    have none. Beside other threads whoever began first ends it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def new_keys(model: type[models.Model], number: int) -> list[int]:
    """Keys for rows that are written later in the transaction; nobody else gets them."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, number]
            )
            return [key for (key,) in cursor.fetchall()]
        # transactions begin IMMEDIATE there, so nobody else can be writing
        cursor.execute("SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = %s), 0)", [table])
        (last,) = cursor.fetchone()
        return list(range(last + 1, last + 1 + number))


def insert(model: type[Row], rows: Sequence[Row]) -> None:
    """Insert ``rows``; keys that the database would give are not read back."""
    if not rows:
        return
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(rows, batch_size=FEW)
        return
    fields = [field for field in model._meta.concrete_fields if not _is_default(field, rows[0])]
    names = ", ".join(f'"{field.column}"' for field in fields)
    readers = [(_value_of(field), field.attname) for field in fields]
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(f'COPY "{model._meta.db_table}" ({names}) FROM STDIN') as copy,
    ):
        for row in rows:
            values = row.__dict__
            copy.write_row([read(values[name]) for read, name in readers])


def _is_default(field: Any, row: models.Model) -> bool:
    """Left to the database: its key, or what it fills in by itself."""
    value = getattr(row, field.attname)
    return isinstance(value, DatabaseDefault) or (field.primary_key and value is None)


def _value_of(field: Any) -> Callable[[Any], Any]:
    if isinstance(field, models.JSONField):
        return lambda value: None if value is None else json.dumps(value, cls=field.encoder, ensure_ascii=False)
    if isinstance(field, models.DateTimeField) and (field.auto_now or field.auto_now_add):
        now: datetime = timezone.now()
        return lambda _value: now
    if isinstance(field, models.CharField | models.TextField):
        return lambda value: None if value is None else str(value)
    return lambda value: value


def update(
    model: type[models.Model], values: Mapping[int, Sequence[Any]], names: Sequence[str],
    where: Mapping[str, str] | None = None,
) -> int:  # fmt: skip
    """Set the fields ``names`` of each key to its values, in one statement where the database can; how many rows were
    changed. Rows whose column is not (``where``) what it should be stay as they are."""
    if not values:
        return 0
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    conditions = list((where or {}).items())
    only = "".join(f' AND t."{column}" = %s' for column, _value in conditions)
    table = model._meta.db_table
    if connection.vendor == "postgresql":
        readers = [_value_of(field) for field in fields]
        columns = [[read(row[place]) for row in values.values()] for place, read in enumerate(readers)]
        sources = [_source_of(field, column) for field, column in zip(fields, columns, strict=True)]
        sets = ", ".join(f'"{field.column}" = {_read(field, f"v.c{place}")}' for place, field in enumerate(fields))
        heads = ", ".join(f"c{place}" for place in range(len(fields)))
        rows = ", ".join(["unnest(%s::bigint[])", *(source for source, _column in sources)])
        statement = f'UPDATE "{table}" t SET {sets} FROM ROWS FROM ({rows}) AS v(id, {heads}) WHERE t.id = v.id{only}'
        given = [list(values), *(column for _source, column in sources), *(value for _column, value in conditions)]
        with connection.cursor() as cursor:
            cursor.execute(statement, given)
            return int(cursor.rowcount)
    found = model._default_manager
    return sum(
        found.filter(pk=key, **dict(conditions)).update(**dict(zip(names, row, strict=True)))
        for key, row in values.items()
    )


def forget_plans() -> None:
    """Foreign keys are checked by plans that a session keeps. Made while a table was small, they read all of it for
    every row; a transaction that adds many rows forgets them before it ends."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DISCARD PLANS")


def _source_of(field: Any, column: list[Any]) -> tuple[str, Any]:
    """What gives the values of a column one after the other, and its parameter. JSON is one list of JSON: as texts of
    an array every quote in it would be escaped once more."""
    kind = str(field.db_type(connection))
    if kind == "jsonb":
        return "jsonb_array_elements(%s::jsonb)", f"[{','.join('null' if each is None else each for each in column)}]"
    return f"unnest(%s::{kind}[])", column


def _read(field: Any, name: str) -> str:
    """No value is NULL, as Django writes it, not the null of JSON."""
    return f"NULLIF({name}, 'null')" if isinstance(field, models.JSONField) else name
