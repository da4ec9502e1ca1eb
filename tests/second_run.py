"""Of two databases the second sees only tests that ask one: what reads text, prices in Python or checks a file is the same,
and so is what a browser makes of a page (what pages ask is tried on both, in ``pages`` and the apps' own tests).

Programs that tests start by themselves (``ops``, ``faults``, ``bench``) have databases of which pytest does not know: all
of those are run on either.
"""

from __future__ import annotations

import os

import pytest

AGAIN = "TESTS_RUN_AGAIN"
ASKS = {"db", "transactional_db", "live_server", "admin_client", "django_db_setup"}
ONCE = "/tests/browser/"
OF_THEIR_OWN = ("ops", "faults", "bench")


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
    return bool(asks or marked) or any(f"/tests/{name}/" in str(item.path) for name in OF_THEIR_OWN)
