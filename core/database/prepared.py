"""Statements that are asked so often that PostgreSQL should read and plan them once a connection."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import psycopg
from django.db import connection


def run(statement: str, values: Mapping[str, Any], *, prepare: bool = True) -> list[Any]:
    """Rows of a statement; its values (``%(name)s``) go apart from the text, which Django's own cursor does not do. In
    the transaction of the caller, or one of its own. PostgreSQL only.

    Not prepared, it is planned for these very values. That a connection prepares what it is told to is set in the
    settings (``prepare_threshold``): Django switches it off.
    """
    text, names = _numbered(statement)
    connection.close_if_health_check_failed()  # once a request, as Django's own cursor does
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.RawCursor(connection.connection) as cursor:
        cursor.execute(text, [values[name] for name in names], prepare=prepare)
        return cursor.fetchall()


@lru_cache(maxsize=256)
def _numbered(statement: str) -> tuple[str, list[str]]:
    """The driver would find the names anew each time that a text is as long as ours are."""
    names: list[str] = []
    parts = statement.split("%(")
    text = parts[0]
    for part in parts[1:]:
        name, _end, rest = part.partition(")s")
        if name not in names:
            names.append(name)
        text += f"${names.index(name) + 1}{rest}"
    return text.replace("%%", "%"), names
