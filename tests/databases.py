"""Migrating takes ten seconds of a processor: what one worker has migrated, the others copy.

SQLite: a file in ``.pytest_cache``, kept until a migration changes. PostgreSQL: a template in the server that this run
started itself; a server that was given by its address is migrated by each worker, and left as it was found.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import time_machine
from django.db import connection
from psycopg import sql

from tests import emptying
from tests.postgres import OWN_SERVER

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".pytest_cache"
# When sites of the tests were set up, and the first rates began: tests that live in a month of 2026 or 2027 find
# them there, whatever the day on which they run.
BORN = datetime(2026, 11, 28, 12, tzinfo=UTC)
TEMPLATE = "migrated"
# Whatever decides what a migrated database looks like: triggers are installed after migrating.
_sources = (
    "*/migrations/*.py", "usage/partitions.py", "core/database/append_only.py", "*/triggers.py", "billing/triggers/*.py", "requirements.txt",
)  # fmt: skip


class Copies:
    """A migrated database to copy from, behind a lock of all workers."""

    def __init__(self) -> None:
        self.is_sqlite = connection.vendor == "sqlite"
        self.name = connection.creation._get_test_db_name()
        self.copied = False
        self.works = self.is_sqlite or OWN_SERVER in os.environ
        self.lock = contextlib.ExitStack()

    def take(self) -> bool:
        """Copy if there is something to copy from."""
        self.copied = self._take_file() if self.is_sqlite else self._take_template()
        return self.copied

    def give(self) -> None:
        """Keep what was just migrated for the next one."""
        connection.close()
        if self.is_sqlite:
            CACHE.mkdir(exist_ok=True)
            for old in CACHE.glob("migrated-*.sqlite3"):
                old.unlink(missing_ok=True)
            _copy_file(self.name, str(self._file()))
        else:
            self._create(TEMPLATE, like=self.name)

    def first_rows(self) -> str:
        """A file of this worker's own: the one in the cache goes when a migration changes."""
        mine = f"{self.name}.migrated"
        if self.is_sqlite:
            _copy_file(str(self._file()), mine)
        return mine

    def _take_file(self) -> bool:
        if not self._file().exists():
            return False
        _copy_file(str(self._file()), self.name)
        return True

    def _take_template(self) -> bool:
        with self._server() as server:
            if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
                return False
        self._create(self.name, like=TEMPLATE)
        return True

    def _create(self, name: str, *, like: str) -> None:
        with self._server() as server:
            words = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            server.execute(words.format(sql.Identifier(name), sql.Identifier(like)))

    def _server(self) -> psycopg.Connection[Any]:
        given = connection.get_connection_params()
        known = {key: given[key] for key in ("host", "port", "user", "password") if given.get(key)}
        return psycopg.connect(**known, dbname="postgres", autocommit=True)

    @staticmethod
    def _file() -> Path:
        found = hashlib.sha256(f"{datetime.now(UTC).date()}".encode())
        for path in sorted(path for pattern in _sources for path in ROOT.glob(pattern)):
            found.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
        return CACHE / f"migrated-{found.hexdigest()[:16]}.sqlite3"


def migrated_file(path: Path) -> str:
    """The address of a SQLite database at ``path``, as ``migrate`` leaves it: of a program that a test starts."""
    kept = Copies._file()
    with _one_at_a_time():
        if not kept.exists():
            CACHE.mkdir(exist_ok=True)
            half = kept.with_suffix(".new")
            half.unlink(missing_ok=True)
            environment = os.environ | {"DEBUG": "1", "READ_DOT_ENV": "0", "DATABASE_URL": f"sqlite:///{half}"}
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
            _copy_file(str(half), str(kept))
            half.unlink()
        _copy_file(str(kept), str(path))
    return f"sqlite:///{path}"


def _copy_file(source: str, target: str) -> None:
    """By SQLite itself, so that a write-ahead log is copied with it; whole or not at all."""
    half = f"{target}.half"
    with contextlib.closing(sqlite3.connect(source)) as read, contextlib.closing(sqlite3.connect(half)) as write:
        read.backup(write)
    Path(half).replace(target)


def _one_at_a_time() -> contextlib.AbstractContextManager[Any]:
    name = hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    handle = (Path(tempfile.gettempdir()) / f"tests-{os.getuid()}-{name}.lock").open("w")
    fcntl.flock(handle, fcntl.LOCK_EX)  # until it is closed
    return handle


@pytest.fixture(scope="session")
def _copies(django_db_modify_db_settings: None) -> Iterator[Copies]:
    copies = Copies()
    with copies.lock:
        copies.lock.enter_context(time_machine.travel(min(BORN, datetime.now(UTC)), tick=True))
        if copies.works:
            copies.lock.enter_context(_one_at_a_time())
            copies.take()
        yield copies


@pytest.fixture(scope="session")
def django_db_keepdb(_copies: Copies) -> bool:
    return _copies.copied


@pytest.fixture(scope="session")
def django_db_createdb() -> bool:
    return False


@pytest.fixture(scope="session")
def django_db_setup(_copies: Copies, django_db_setup: None, django_db_blocker: Any) -> None:
    if _copies.works and not _copies.copied:
        with django_db_blocker.unblock():
            _copies.give()
    if _copies.works:
        with django_db_blocker.unblock():
            emptying.keep(_copies.first_rows())
    _copies.lock.close()
