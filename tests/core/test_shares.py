"""``make test`` runs each test once, on one database or the other, and what takes long on its day: none may be left out."""

from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st

from tests import long
from tests.shares import DAYS, TURN_OF_POSTGRES, TURN_OF_SQLITE, rests, turn_of


@given(st.text(), st.integers(min_value=1, max_value=1_000_000))
def test_what_ran_on_one_database_runs_on_the_other_the_next_day(file: str, day: int) -> None:
    assert {turn_of(file, day), turn_of(file, day + 1)} == {TURN_OF_SQLITE, TURN_OF_POSTGRES}


def test_both_databases_have_work_on_each_day() -> None:
    assert {turn_of(f"tests/test_{number}.py", 1) for number in range(20)} == {TURN_OF_SQLITE, TURN_OF_POSTGRES}


@given(st.text(), st.integers(min_value=1, max_value=1_000_000), st.sampled_from(["file", "function", ""]))
def test_what_takes_long_has_one_day_of_seven_and_everything_else_all(name: str, day: int, kind: str) -> None:
    listed = frozenset({"file": {"tests/test_a.py"}, "function": {"tests/test_a.py::test_b"}, "": set()}[kind])
    days = [not rests(f"tests/test_a.py::test_b[{name}]", day + more, listed) for more in range(DAYS)]
    assert sum(days) == (1 if kind else DAYS)


def test_what_takes_long_meets_both_databases() -> None:
    theirs = [day for day in range(2 * DAYS) if not rests("f::t", day, frozenset({"f"}))]
    assert {turn_of("f", day) for day in theirs} == {TURN_OF_SQLITE, TURN_OF_POSTGRES}


def test_what_is_listed_is_there() -> None:
    """A function that was renamed would have every day, and nobody would see why the suite takes longer."""
    absent = [line for line in long.listed() if not _is_there(line)]
    assert absent == []


def _is_there(line: str) -> bool:
    name, *path = line.split("::")
    file = long.ROOT / name
    within: ast.AST | None = ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else None
    for each in path:
        inside = getattr(within, "body", [])
        within = next((node for node in inside if getattr(node, "name", "") == each), None)
    return within is not None
