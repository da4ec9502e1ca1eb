"""Every guard is there and has its tests; some are really taken away here, all of them by ``make guards``."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.db import connection

from tests.guards.guards import GUARDS
from tests.guards.taking import FAILED, PASSED, Copy, Guard, copy_of_the_tree, faults_of

HERE = {"sqlite": ("claim_takes_unbilled_jobs_only", "database_refuses_refunds_beyond"),
        "postgresql": ("another_event_under_a_key_is_refused_on_postgresql",)}  # fmt: skip


def named(name: str) -> Guard:
    return next(guard for guard in GUARDS if guard.name == name)


def test_there_are_many_and_each_has_its_own_name() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS) >= 25


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_where_it_is_said_to_and_has_a_test(guard: Guard) -> None:
    assert guard.tests
    assert guard.database in ("sqlite", "postgres")
    assert faults_of(guard) == []


@pytest.fixture(scope="module")
def copy() -> Iterator[Copy]:
    with copy_of_the_tree() as made:
        yield made


def address(name: str) -> str | None:
    """A database of its own, on the server of this run."""
    if connection.vendor == "sqlite":
        return None
    given = connection.settings_dict
    who = f"{given['USER']}:{given['PASSWORD']}"
    where = f"/{given['HOST']}" if str(given["HOST"]).startswith("/") else f"{given['HOST']}:{given['PORT'] or 5432}"
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return f"postgres://{who}@{where}/guard_{worker}_{name[:20]}"


@pytest.mark.django_db
def test_a_guard_that_is_taken_away_is_missed_by_its_test(copy: Copy) -> None:
    for name in HERE[connection.vendor]:
        guard = named(name)
        with copy.without(guard):
            outcome = copy.run(guard.tests, address(name))
        assert outcome.code == FAILED, f"{name}: {outcome.output}"


@pytest.mark.django_db
def test_what_guards_nothing_is_told_from_a_guard(copy: Copy) -> None:
    """A comment that is taken away must not count as missed: the tests did run, and passed."""
    guard = named(HERE[connection.vendor][0])
    path = copy.root / guard.file
    comment = Guard("comment", guard.file, path.read_text().splitlines()[0], '"""Nothing."""', guard.tests)
    with copy.without(comment):
        outcome = copy.run(guard.tests, address("comment"))
    assert outcome.code == PASSED, outcome.output
