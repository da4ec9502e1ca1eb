"""Reading what is wrong, and the words in which the audit log wrote it down, on both databases."""

from __future__ import annotations

from typing import Any

from django.db import connection

from billing import sql

SHOWN = 20


def rows(statement: str) -> list[tuple[Any, ...]]:
    """The first few rows of a query that finds what is wrong."""
    sql.prepare()
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} LIMIT {SHOWN}")
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
