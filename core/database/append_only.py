"""Tables whose rows the database itself keeps as they were written: triggers that refuse to change or remove one.

Installed after every ``migrate`` (a table rebuilt by SQLite loses its triggers). A migration may alter such a
table as it likes; one that must change its rows calls ``remove`` first, and has them back when all are done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


@dataclass(frozen=True, slots=True, weakref_slot=True)
class AppendOnly:
    """``same`` says in SQL, of ``NEW`` and a stored row, when SQLite's INSERT OR REPLACE would overwrite it.

    ``may_go`` says in SQL, of ``OLD``, which rows may be deleted after all.
    """

    table: str
    same: str
    may_go: str = "1 = 0"

    def install(self, connection: BaseDatabaseWrapper) -> None:
        with connection.cursor() as cursor:
            for statement in self._postgresql() if connection.vendor == "postgresql" else self._sqlite():
                cursor.execute(statement)

    def remove(self, connection: BaseDatabaseWrapper) -> None:
        """Take the triggers off: for test databases that must be emptied, tamper tests, and migrations of rows."""
        table = self.table
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                for what in ("change", "truncate"):
                    cursor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{what} ON {table}")
            else:
                for what in ("update", "delete", "replace"):
                    cursor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{what}")

    def install_after_migrate(self, using: str, **kwargs: Any) -> None:
        connection = connections[using]
        if self.table in connection.introspection.table_names():
            self.install(connection)

    def _postgresql(self) -> tuple[str, ...]:
        table = self.table
        return (
            f"""CREATE OR REPLACE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF TG_OP = 'DELETE' THEN IF {self.may_go} THEN RETURN OLD; END IF; END IF;
            RAISE EXCEPTION '{table} is append-only: % refused', TG_OP; END $$""",
            f"""CREATE OR REPLACE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION {table}_append_only()""",
            f"""CREATE OR REPLACE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()""",
        )

    def _sqlite(self) -> tuple[str, ...]:
        table = self.table
        return (
            f"""CREATE TRIGGER IF NOT EXISTS {table}_no_update BEFORE UPDATE ON {table}
            BEGIN SELECT RAISE(ABORT, '{table} is append-only: UPDATE refused'); END""",
            f"DROP TRIGGER IF EXISTS {table}_no_delete",  # an older one may be there, without the exception
            f"""CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} WHEN NOT ({self.may_go})
            BEGIN SELECT RAISE(ABORT, '{table} is append-only: DELETE refused'); END""",
            # INSERT OR REPLACE deletes the row in its way without asking the DELETE trigger.
            f"""CREATE TRIGGER IF NOT EXISTS {table}_no_replace BEFORE INSERT ON {table}
            WHEN EXISTS (SELECT 1 FROM {table} WHERE {self.same})
            BEGIN SELECT RAISE(ABORT, '{table} is append-only: REPLACE refused'); END""",
        )
