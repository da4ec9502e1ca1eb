"""Which tests run on which of the two databases.

Tests that ask no database run on SQLite alone: what reads text, prices in Python or checks a file is the same, and so is what
a browser makes of a page, and who may ask for which (what pages ask is tried on both, in ``pages`` and the apps' own tests).

All others: ``both`` runs each of them on SQLite and again on PostgreSQL, for each night and before a release. ``turns`` runs
each once: the files of a turn on SQLite, the others on PostgreSQL, and the other way round on the next day. What takes
long (``tests/long.txt``: programs, browsers, large files, faults) has its day of the week in ``turns``, a seventh of it each day.

Programs that tests start by themselves (``ops``, ``faults``, ``bench``) have databases of which pytest does not know: all
of those ask one, but for the files whose programs get an SQLite of their own, or none, on both runs.
"""

from __future__ import annotations

import os
import zlib

import pytest

from tests import long

SHARE = "TESTS_SHARE"
DAYS = 7  # odd, so that what has its day then meets both databases
AGAIN, TURN_OF_SQLITE, TURN_OF_POSTGRES = "again", "sqlite", "postgres"
ASKS = {"db", "transactional_db", "live_server", "admin_client", "django_db_setup"}
ONCE = ("/tests/access/test_table.py", "/tests/browser/")
OF_THEIR_OWN = ("ops", "faults", "bench")
SQLITE_ALWAYS = (
    "ops/test_compose.py", "ops/test_configuration.py", "ops/test_packaging.py", "ops/test_payment_configuration.py",
    "ops/test_served.py", "ops/test_shutdown.py", "ops/test_unsafe.py",
)  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    share, _, day = os.environ.pop(SHARE, "").partition(" ")  # what a test starts shall not inherit it
    if not share:
        return
    by_turns, listed = bool(day), long.listed()
    kept = {
        item
        for item in items
        if belongs(item, share, int(day or 0)) and not (by_turns and rests(item.nodeid, int(day), listed))
    }
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def belongs(item: pytest.Item, share: str, day: int = 0) -> bool:
    if not asks_a_database(item):
        return share == TURN_OF_SQLITE
    if share == AGAIN or item.get_closest_marker("postgres"):
        return share != TURN_OF_SQLITE
    return share == turn_of(os.path.relpath(item.path, item.config.rootpath), day)


def rests(name: str, day: int, listed: frozenset[str]) -> bool:
    """Whether the test ``name`` takes long and this is not its day; tests of a listed file have theirs together."""
    function, file = name.partition("[")[0], name.partition("::")[0]
    if file not in listed and function not in listed:
        return False
    key = file if file in listed else name
    return (zlib.crc32(key.encode()) + day) % DAYS != 0


def turn_of(file: str, day: int) -> str:
    """Of a whole file, so that what its tests share is made once."""
    return (TURN_OF_SQLITE, TURN_OF_POSTGRES)[(zlib.crc32(file.encode()) + day) % 2]


def asks_a_database(item: pytest.Item) -> bool:
    if any(each in str(item.path) for each in ONCE):
        return False
    asks = ASKS & set(getattr(item, "fixturenames", ()))
    marked = any(item.get_closest_marker(name) for name in ("django_db", "postgres"))
    if asks or marked:
        return True
    of_their_own = any(f"/tests/{name}/" in str(item.path) for name in OF_THEIR_OWN)
    return of_their_own and not str(item.path).endswith(SQLITE_ALWAYS)
