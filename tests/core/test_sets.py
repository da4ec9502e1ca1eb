"""Many rows at once are what Django would write row by row; and a large transaction is no victim of old plans.

If this broke, documents would keep other values than those they were made of, or a month's run would slow down with
every slice.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import Work
from billing.models import Invoice
from core.database import sets
from tests.factories import make_project

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def invoices(db: None) -> list[Invoice]:
    owner = make_project().organisation
    return [
        Invoice.objects.create(organisation=owner, year=2000 + number, month=1, currency="THB") for number in range(3)
    ]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.dictionaries(TEXT, JSON, max_size=3), TEXT, st.lists(JSON, max_size=3)), min_size=3, max_size=3
    )
)
def test_values_come_back_as_they_were_given(invoices: list[Invoice], given: list[Any]) -> None:
    """Quotes, backslashes, braces and commas of JSON and text are no part of any list that carries them."""
    values = {row.pk: each for row, each in zip(invoices, given, strict=True)}
    assert sets.update(Invoice, values, ["seller", "notes", "problems"]) == 3
    found = {row.pk: (row.seller, row.notes, row.problems) for row in Invoice.objects.filter(pk__in=list(values))}
    assert found == {pk: tuple(each) for pk, each in values.items()}


def test_only_rows_that_are_as_they_should_be_are_changed(invoices: list[Invoice]) -> None:
    Invoice.objects.filter(pk=invoices[1].pk).update(notes_th="other")
    values = {row.pk: ["new", {}] for row in invoices}
    assert sets.update(Invoice, values, ["notes", "seller"], where={"notes_th": ""}) == 2
    assert list(Invoice.objects.order_by("pk").values_list("notes", flat=True)) == ["new", "", "new"]
    assert sets.update(Invoice, {}, ["notes"]) == 0


def test_cycles_are_swept_again_afterwards_whatever_happened() -> None:
    with pytest.raises(ZeroDivisionError), sets.unswept():
        assert not gc.isenabled()
        _ = 1 / 0
    assert gc.isenabled()
    with sets.unswept(), sets.unswept():
        pass
    assert gc.isenabled()


@pytest.fixture
def two_tables(transactional_db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE sets_parents (id bigint PRIMARY KEY)")
        cursor.execute(
            "CREATE TABLE sets_children (parent bigint REFERENCES sets_parents DEFERRABLE INITIALLY DEFERRED)"
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE sets_children, sets_parents")


@pytest.mark.postgres
@pytest.mark.parametrize("forgets", [True, False])
def test_keys_are_not_looked_for_by_a_plan_of_when_the_table_was_small(two_tables: None, forgets: bool) -> None:
    """Without it the plan of the first rows reads the whole table for each of the three thousand."""
    _add(0, 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE sets_parents")
    _add(3001, 10)  # from the sixth time on the plan is kept
    plans: list[str] = []
    with transaction.atomic():
        _add(1, 3000)
        if forgets:
            sets.forget_plans()
        _listen(plans)
    assert len(plans) == 3000
    assert all("Index" in each for each in plans) is forgets
    assert any("Seq Scan" in each for each in plans) is not forgets


def _add(first: int, number: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for table in ("sets_parents", "sets_children"):
            cursor.execute(f"INSERT INTO {table} SELECT generate_series(%s, %s)", [first, first + number - 1])


def _listen(plans: list[str]) -> None:
    """What the server says of the plans by which the keys are checked at the end of the transaction."""
    raw = connection.connection
    raw.add_notice_handler(
        lambda said: plans.append(said.message_primary) if "sets_parents" in (said.message_primary or "") else None
    )
    with connection.cursor() as cursor:
        cursor.execute("LOAD 'auto_explain'")
        for name, value in (("auto_explain.log_nested_statements", "on"), ("auto_explain.log_min_duration", "0"),
                            ("client_min_messages", "log")):  # fmt: skip
            cursor.execute(f"SET LOCAL {name} = {value}")


def test_keys_are_given_once(db: None) -> None:
    first, second = sets.new_keys(Work, 3), sets.new_keys(Work, 1)
    assert len({*first, *second}) == (4 if connection.vendor == "postgresql" else 3)
