"""Locks. Taken late, held to the end of the transaction (or of the run), never across an outside call."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.db import Error, connection, connections

from core.errors import Busy, Misconfigured


def _key(space: str, name: str) -> int:
    digest = hashlib.sha256(f"{space}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def need_session() -> None:
    """What lasts longer than a transaction (temporary tables) needs a session. Raises ``Misconfigured`` without one."""
    if settings.DATABASE_POOLED:
        raise Misconfigured("This needs a connection past the pooler: set DATABASE_DIRECT_URL for commands.")


def lock_for_transaction(space: str, name: str = "", *, shared: bool = False) -> None:
    """Hold ``space:name`` until the current transaction ends; ``shared`` holders only keep out one that is not.

    PostgreSQL: a transaction-scoped advisory lock. SQLite: transactions begin
    IMMEDIATE, so being inside one already is the lock.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("lock_for_transaction() needs a transaction")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            kind = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
            cursor.execute(f"SELECT {kind}(%s)", [_key(space, name)])


@contextmanager
def run_lock(name: str) -> Iterator[None]:
    """Hold ``name`` for the length of a command; raises ``Busy`` when another process has it.

    The lock dies with its process: an advisory lock of an open transaction on a connection of its own (PostgreSQL)
    or a locked file beside the database (SQLite).
    """
    if connection.vendor == "postgresql":
        with _held_transaction(name):
            yield
    else:
        with _file_lock(name):
            yield


@contextmanager
def _held_transaction(name: str) -> Iterator[None]:
    """A transaction, not the session, holds it: a pooler between us and the server keeps a transaction together.

    It takes no snapshot after its first statement, so that it keeps nothing from being vacuumed.
    """
    own = connections.create_connection("default")
    try:
        own.set_autocommit(False)
        with own.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_key("run", name)])
            if not cursor.fetchone()[0]:
                raise Busy(f"Another run of {name} is under way; try again when it has finished.")
        try:
            yield
        finally:
            # Closing alone frees the lock only when the server notices; a lost connection has freed it already.
            with suppress(Error):
                own.rollback()
    finally:
        own.close()


@contextmanager
def _file_lock(name: str) -> Iterator[None]:
    database = str(connection.settings_dict["NAME"])
    if "memory" in database:
        yield
        return
    path = Path(f"{database}-{hashlib.sha256(name.encode()).hexdigest()[:12]}.lock.run")
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"Another run of {name} is under way; try again when it has finished.") from error
        yield
