"""Database triggers that refuse UPDATE, DELETE and TRUNCATE on ``audit_log``.

Installed after every ``migrate`` (a table rebuilt by SQLite loses its triggers).
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

_POSTGRESQL = (
    """CREATE OR REPLACE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'audit_log is append-only: % refused', TG_OP; END $$""",
    """CREATE OR REPLACE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_append_only()""",
    """CREATE OR REPLACE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only()""",
)
_SQLITE = (
    *(
        f"""CREATE TRIGGER IF NOT EXISTS audit_log_no_{verb.lower()} BEFORE {verb} ON audit_log
        BEGIN SELECT RAISE(ABORT, 'audit_log is append-only: {verb} refused'); END"""
        for verb in ("UPDATE", "DELETE")
    ),
    # INSERT OR REPLACE deletes the row in its way without asking the DELETE trigger.
    """CREATE TRIGGER IF NOT EXISTS audit_log_no_replace BEFORE INSERT ON audit_log
    WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id OR hash = NEW.hash OR prev_hash = NEW.prev_hash)
    BEGIN SELECT RAISE(ABORT, 'audit_log is append-only: REPLACE refused'); END""",
)


def install(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for statement in _POSTGRESQL if connection.vendor == "postgresql" else _SQLITE:
            cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers off: for test databases that must be emptied, and for a tamper test."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("DROP TRIGGER IF EXISTS audit_log_no_change ON audit_log")
            cursor.execute("DROP TRIGGER IF EXISTS audit_log_no_truncate ON audit_log")
        else:
            for what in ("update", "delete", "replace"):
                cursor.execute(f"DROP TRIGGER IF EXISTS audit_log_no_{what}")


def install_after_migrate(using: str, **kwargs: Any) -> None:
    from django.db import connections

    connection = connections[using]
    if "audit_log" in connection.introspection.table_names():
        install(connection)
