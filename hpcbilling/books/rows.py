"""Reading what is wrong, and what the audit log wrote down, on both databases."""

from __future__ import annotations

from typing import Any

from django.db import connection

from billing import sql

SHOWN = 20


def rows(statement: str) -> list[tuple[Any, ...]]:
    """The first few rows of a query that finds what is wrong.

    PostgreSQL must not plan for a few rows: there are none when all is well, and what is quick
    at finding the first (a nested loop) takes hours to find that there is none.
    """
    if connection.vendor == "postgresql":
        statement = f"WITH found AS MATERIALIZED ({statement}) SELECT * FROM found"
    sql.prepare()
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} LIMIT {SHOWN}")
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def extra(name: str) -> str:
    """SQL for one detail of the audit entry ``a``, as text; NULL where it was not written down."""
    if connection.vendor == "sqlite":
        return f"CAST(json_extract(a.extra, '$.{name}') AS text)"
    return f"(a.extra ->> '{name}')"


def same_id(column: str) -> str:
    """SQL that joins an id with the entry ``a`` that is about it, in the form that the database is quick at."""
    if connection.vendor == "sqlite":
        return f"{column} = CAST(a.entity_id AS integer)"
    return f"CAST({column} AS text) = a.entity_id"


def entries(entity: str, *actions: str) -> str:
    """The entries of these actions about this kind of object, as the table ``a``."""
    known = ", ".join(f"'{action}'" for action in actions)
    return f"(SELECT * FROM audit_log WHERE entity_type = '{entity}' AND action IN ({known})) a"


def logged(moment: str) -> str:
    """SQL: what happened at that moment must stand in the table; entries up to a checkpoint are in an archive."""
    return f"NOT EXISTS (SELECT 1 FROM audit_checkpoints c WHERE c.last_ts >= {moment})"


def differs(stored: str, logged: str) -> str:
    """Text that is not what the entry says; an entry that does not say it proves nothing."""
    return f"COALESCE({logged}, {stored}) <> {stored}"
