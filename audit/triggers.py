"""The database refuses to change or remove a row of ``audit_log`` (see ``core.database.append_only``).

Rows up to a checkpoint may go: they are in an archive. That a checkpoint is one of ours is told by its signature, which
``verify_audit`` looks at; nobody can change or remove it here either.
"""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from core.database.append_only import AppendOnly

CHECKPOINTS = AppendOnly("audit_checkpoints", same="id = NEW.id OR last_id = NEW.last_id")
AUDIT_LOG = AppendOnly(
    "audit_log",
    same="id = NEW.id OR hash = NEW.hash OR prev_hash = NEW.prev_hash",
    may_go="OLD.id <= (SELECT COALESCE(MAX(last_id), 0) FROM audit_checkpoints)",
)


def install(connection: BaseDatabaseWrapper) -> None:
    for table in (CHECKPOINTS, AUDIT_LOG):
        table.install(connection)


def remove(connection: BaseDatabaseWrapper) -> None:
    for table in (CHECKPOINTS, AUDIT_LOG):
        table.remove(connection)


def install_after_migrate(using: str, **kwargs: Any) -> None:
    if "audit_checkpoints" in connections[using].introspection.table_names():
        install(connections[using])
