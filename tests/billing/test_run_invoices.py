"""``run_invoices``: the invoices of a month for everybody, again and again, with what fails parked."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Organisation
from billing.models import Invoice
from billing.services.invoices import runs
from billing.services.invoices.runs import run_invoices
from core.database.locks import run_lock
from core.errors import Conflict
from hpcbilling.books import INVARIANTS
from tests.billing.invoicing import FIN, exchange, fee, make_customer, price, use
from tests.factories import make_jobs
from tests.races import at_once
from usage.models import Job

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    out = StringIO()
    try:
        call_command(
            "run_invoices", "--month", "2026-10", "--format", "json", *arguments, stdout=out, stderr=StringIO()
        )
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, json.loads(out.getvalue())


def books_are_right() -> bool:
    wrong = {name: found for name, check in INVARIANTS.items() if (found := check())}
    assert wrong == {}
    return True


def test_everybody_with_something_to_bill_gets_one_draft() -> None:
    price()
    first, second = make_customer("A", account="a"), make_customer("B", account="b")
    make_customer("Nothing", account="n")
    make_jobs(3, account="a")
    use(first)
    fee(second)
    code, result = run()
    assert code == 0
    assert [(row["organisation"], row["status"], row["lines"]) for row in result["invoices"]] == [
        ("A", "draft", 2), ("B", "draft", 1),
    ]  # fmt: skip
    assert (result["finalized"], result["failed"]) == (0, {})
    assert books_are_right()


def test_a_repeat_changes_nothing_and_finalized_ones_stay() -> None:
    fee(make_customer("A", account=""))
    _code, first = run("--finalize")
    code, again = run("--finalize")
    assert code == 0
    assert first["invoices"][0] | {"finalized": False} == again["invoices"][0]
    assert Invoice.objects.count() == 1
    assert (first["finalized"], again["finalized"]) == (1, 0)


def test_what_is_blocked_stays_a_draft_with_its_reason_and_the_others_go_on() -> None:
    use(make_customer("A", account=""), metric_name="unknown")
    fee(make_customer("B", account=""))
    code, result = run("--finalize")
    assert code == 3
    blocked, other = result["invoices"]
    assert (blocked["status"], blocked["blocked"], other["status"]) == ("draft", True, "finalized")
    assert "unknown was used (1) and has no price" in blocked["problems"][0]


def test_one_that_fails_is_parked_and_the_others_of_its_slice_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    fee(make_customer("A", account=""))
    fee(make_customer("B", account=""))
    usual = runs.draft_invoices

    def failing(**wanted: Any) -> Any:
        if any(each.name == "A" for each in wanted["organisations"]):
            raise Conflict("not today")
        return usual(**wanted)

    monkeypatch.setattr(runs, "draft_invoices", failing)
    code, result = run()
    assert (code, result["failed"]) == (3, {"A": "not today"})
    assert [row["organisation"] for row in result["invoices"]] == ["B"]


def test_a_dry_run_shows_everything_and_keeps_nothing() -> None:
    make_jobs(2, account="a")
    make_customer("A", account="a")
    _code, result = run("--dry-run", "--finalize")
    assert result["invoices"][0]["number"].endswith("-000001")
    assert not Invoice.objects.exists()
    assert not Job.objects.exclude(claimed_by="").exists()


def test_one_organisation_may_be_named() -> None:
    fee(make_customer("A", account=""))
    fee(make_customer("B", account=""))
    assert [row["organisation"] for row in run("--organisation", "B")[1]["invoices"]] == ["B"]
    with pytest.raises(CommandError) as error:
        call_command("run_invoices", "--month", "2026-10", "--organisation", "Nobody")
    assert error.value.returncode == 2


def test_a_month_to_come_is_a_mistake_of_usage() -> None:
    make_customer("A")
    with pytest.raises(CommandError) as error:
        call_command("run_invoices", "--month", "2098-10")
    assert error.value.returncode == 2


@pytest.mark.django_db(transaction=True)
def test_two_runs_never_work_at_once() -> None:
    with run_lock("run_invoices"), pytest.raises(CommandError) as error:
        call_command("run_invoices", "--month", "2026-10")
    assert error.value.returncode == 75


@pytest.mark.django_db(transaction=True)
def test_even_without_the_lock_of_the_command_many_runs_make_one_set_of_invoices() -> None:
    for place in range(5):
        fee(make_customer(f"o{place}", account=f"a{place}"))
        make_jobs(3, account=f"a{place}")
    runs = at_once(20, lambda _place: run_invoices(actor=FIN, month=date(2026, 10, 1), finalize=True))
    assert all(not each.failed for each in runs)
    assert sorted(Invoice.objects.values_list("serial", flat=True)) == [1, 2, 3, 4, 5]
    assert Invoice.objects.count() == Organisation.objects.count()
    assert Job.objects.filter(claimed_by="").count() == 0
    assert books_are_right()


def test_usage_that_no_invoice_can_hold_waits_for_a_person_and_the_others_go_on() -> None:
    price()
    exchange("JPY", "THB", "0.25")
    price("dear", per_unit="999999999999999999999", currency="JPY")
    much, other = make_customer("A", account=""), make_customer("B", account="")
    use(much, metric_value=Decimal("999999999999999999999.999999999"))
    use(much, metric_name="dear", metric_value=Decimal("999999999999999999999.999999999"))
    fee(much)
    fee(other)
    code, result = run("--finalize")
    assert code == 3
    waiting, done = result["invoices"]
    assert (waiting["status"], waiting["total"], done["status"]) == ("draft", "100.00", "finalized")
    assert waiting["problems"][0].startswith("api.call comes to 500000000000000000000 THB")
    assert [problem.split(" ")[0] for problem in waiting["problems"]] == ["api.call", "dear"]
    assert [invoice.total for invoice in Invoice.objects.order_by("pk")] == [Decimal(100), Decimal(100)]


def test_lines_that_together_are_too_much_park_their_organisation() -> None:
    price()
    much = make_customer("A", account="")
    for number in range(3):
        use(much, metric_value=Decimal(8 * 10**12), unit=f"u{number}")
    code, result = run()
    assert (code, result["invoices"]) == (3, [])
    assert result["failed"] == {
        "A": "The lines come to more than an invoice can hold. Correct what is billed or its prices."
    }
