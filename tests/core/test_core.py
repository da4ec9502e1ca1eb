"""States, CSV, addresses, errors: the small things everything stands on."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import OperationalError
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from core.commands import AppCommand
from core.context import client_ip
from core.errors import Busy, InvalidTransition, Misconfigured, Unavailable
from core.exports import FORMULA_STARTS, csv_lines
from core.periods import days_window, next_month, previous_month
from core.registry import load
from core.states import transition, transition_held


@given(st.lists(st.lists(st.text(max_size=20), min_size=1, max_size=4), max_size=5))
def test_no_cell_of_a_csv_can_start_a_formula_and_every_cell_reads_back(rows: list[list[str]]) -> None:
    text = "".join(csv_lines(["a"], rows)).removeprefix("\ufeff")
    read = list(csv.reader(io.StringIO(text, newline="")))[1:]
    for row, back in zip(list(rows), read, strict=True):
        for cell, seen in zip(row, back or [""], strict=True):
            assert not seen.startswith(FORMULA_STARTS)
            assert seen in (cell, "'" + cell)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "", "10.0.0.9"),
        (0, "1.2.3.4", "10.0.0.9"),
        (1, "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (2, "6.6.6.6, 1.2.3.4, 5.6.7.8", "1.2.3.4"),
        (1, "", "10.0.0.9"),
        (1, "rubbish", "0.0.0.0"),
    ],
)
def test_forwarded_addresses_count_only_as_far_as_our_own_proxies_wrote_them(
    settings: Any, proxies: int, forwarded: str, expected: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies
    extra = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR="10.0.0.9", **extra)) == expected


def test_a_window_of_days_is_the_sites_days() -> None:
    window = days_window(date(2026, 10, 1), date(2026, 10, 31))
    assert (window.start, window.end) == (
        datetime(2026, 9, 30, 17, tzinfo=UTC), datetime(2026, 10, 31, 17, tzinfo=UTC),
    )  # fmt: skip
    assert window.holds(datetime(2026, 10, 31, 16, 59, tzinfo=UTC))
    assert not window.holds(datetime(2026, 10, 31, 17, tzinfo=UTC))


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1)))
def test_the_month_after_the_month_before_is_this_one(day: date) -> None:
    assert next_month(previous_month(day)) == day.replace(day=1)


def test_an_unknown_plug_in_is_named_with_those_there_are(settings: Any) -> None:
    with pytest.raises(Misconfigured, match=r"nobody.*sacct"):
        load("USAGE_SOURCES", "nobody")
    settings.USAGE_SOURCES = {"broken": "no.such.module.Thing"}
    with pytest.raises(Misconfigured, match=r"no\.such\.module"):
        load("USAGE_SOURCES", "broken")


@pytest.mark.django_db
def test_a_transition_happens_once_and_never_against_the_table(alice: Any) -> None:
    from billing.models import RECEIPT_TRANSITIONS, Receipt
    from billing.services.receipts import create_receipts
    from core.context import SYSTEM
    from tests.factories import make_job

    make_job()
    receipt: Receipt = create_receipts(actor=SYSTEM, username="alice", start=None, end=None)[0]
    now = datetime(2026, 11, 1, tzinfo=UTC)
    assert transition(receipt, "paid", table=RECEIPT_TRANSITIONS, paid_at=now) is True
    assert transition(receipt, "paid", table=RECEIPT_TRANSITIONS, paid_at=None) is False
    assert receipt.paid_at == now
    with pytest.raises(InvalidTransition, match="paid"):
        transition(receipt, "void", table=RECEIPT_TRANSITIONS)


@pytest.mark.django_db
def test_a_transition_of_a_row_that_is_held_costs_one_statement_and_tells_what_is_stored(
    alice: Any, django_assert_num_queries: Any
) -> None:
    from billing.models import RECEIPT_TRANSITIONS, Receipt
    from billing.services.receipts import create_receipts
    from core.context import SYSTEM
    from tests.factories import make_job

    make_job()
    receipt: Receipt = create_receipts(actor=SYSTEM, username="alice", start=None, end=None)[0]
    late, now = Receipt.objects.get(pk=receipt.pk), datetime(2026, 11, 1, tzinfo=UTC)
    with django_assert_num_queries(1):
        assert transition_held(receipt, "paid", table=RECEIPT_TRANSITIONS, paid_at=now) is True
    stored = Receipt.objects.get(pk=receipt.pk)
    assert (receipt.status, receipt.paid_at) == (stored.status, stored.paid_at) == ("paid", now)
    assert transition_held(late, "paid", table=RECEIPT_TRANSITIONS, paid_at=None) is False
    assert (late.status, late.paid_at) == ("paid", now), "who comes late sees what is so"
    with pytest.raises(InvalidTransition, match="paid"):
        transition_held(late, "void", table=RECEIPT_TRANSITIONS)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unavailable("x"), 69), (Busy("x"), 75), (Misconfigured("x"), 78),
        (OperationalError("connection refused"), 69),
    ],
)  # fmt: skip
def test_a_command_ends_with_the_exit_code_of_its_error(error: Exception, code: int) -> None:
    class Failing(AppCommand):
        def run(self, options: dict[str, Any]) -> dict[str, Any]:
            raise error

    with pytest.raises(CommandError) as ended:
        Failing().handle(format="text")
    assert ended.value.returncode == code


class Reached(AppCommand):
    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError("it was not refused")


@pytest.mark.parametrize(
    ("name", "value"), [("user", "a\udcff"), ("organisation", ["x", "\udcff"]), ("out", Path("\udcff.json"))]
)
def test_bytes_that_are_no_utf_8_are_refused_by_the_name_of_the_option(name: str, value: Any) -> None:
    """Python hands them on as halves of characters, which no database takes."""
    with pytest.raises(CommandError, match=rf"^{name}: .*is not UTF-8$") as caught:
        Reached().handle(format="text", **{name: value})
    assert caught.value.returncode == 2
