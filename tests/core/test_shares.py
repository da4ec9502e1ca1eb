"""``make test`` runs each test once, on one database or the other: none may fall between the two."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.shares import TURN_OF_POSTGRES, TURN_OF_SQLITE, turn_of


@given(st.text(), st.integers(min_value=1, max_value=1_000_000))
def test_what_ran_on_one_database_runs_on_the_other_the_next_day(file: str, day: int) -> None:
    assert {turn_of(file, day), turn_of(file, day + 1)} == {TURN_OF_SQLITE, TURN_OF_POSTGRES}


def test_both_databases_have_work_on_each_day() -> None:
    assert {turn_of(f"tests/test_{number}.py", 1) for number in range(20)} == {TURN_OF_SQLITE, TURN_OF_POSTGRES}
