"""Whether an error of the database is one that passes (it is away, or has no time for us) or one of ours."""

from __future__ import annotations

import re

from django.db import InterfaceError, OperationalError

# What an unmigrated database says: SQLite in words, PostgreSQL (in any language) by its code.
_MISSING = re.compile(r"no such (table|column)")
_UNDEFINED = ("42P01", "42703")
_READ_ONLY = "25006"  # a replica, or a server that takes no writes now; elsewhere psycopg calls it an internal error


def lacks_something(error: BaseException) -> bool:
    """A table or a column: the database was not migrated."""
    return bool(_MISSING.search(str(error))) or getattr(error.__cause__, "sqlstate", "") in _UNDEFINED


def is_outage(error: BaseException | None) -> bool:
    if isinstance(error, OperationalError | InterfaceError):
        return not lacks_something(error)
    return getattr(getattr(error, "__cause__", None), "sqlstate", "") == _READ_ONLY
