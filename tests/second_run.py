"""Of two databases the second sees only tests that ask one: what reads text, prices in Python or checks a file is the same,
and so is what a browser makes of a page (what pages ask is tried on both, in ``pages`` and the apps' own tests).

Programs that tests start by themselves (``ops``, ``faults``, ``bench``) have databases of which pytest does not know: all
of those are run on either, but for the files whose programs get an SQLite of their own, or none, on both runs.
"""

from __future__ import annotations

import os

import pytest

AGAIN = "TESTS_RUN_AGAIN"
ASKS = {"db", "transactional_db", "live_server", "admin_client", "django_db_setup"}
ONCE = "/tests/browser/"
OF_THEIR_OWN = ("ops", "faults", "bench")
SQLITE_ALWAYS = (
    "ops/test_compose.py", "ops/test_configuration.py", "ops/test_packaging.py", "ops/test_payment_configuration.py",
    "ops/test_served.py", "ops/test_shutdown.py",
)  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not os.environ.pop(AGAIN, ""):  # what a test starts shall not inherit it
        return
    kept = [item for item in items if asks_a_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if not asks_a_database(item)])
    items[:] = kept


def asks_a_database(item: pytest.Item) -> bool:
    if ONCE in str(item.path):
        return False
    asks = ASKS & set(getattr(item, "fixturenames", ()))
    marked = any(item.get_closest_marker(name) for name in ("django_db", "postgres"))
    if asks or marked:
        return True
    of_their_own = any(f"/tests/{name}/" in str(item.path) for name in OF_THEIR_OWN)
    return of_their_own and not str(item.path).endswith(SQLITE_ALWAYS)
