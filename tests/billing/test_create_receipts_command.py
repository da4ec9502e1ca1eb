"""create_receipts: what scripts rely on."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Tier
from audit.models import AuditLog
from billing.models import Receipt
from tests.factories import account_tier, make_job
from usage.models import Job

pytestmark = pytest.mark.django_db
OCTOBER = ("--start", "2026-10-01", "--end", "2026-10-31")


def run(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("create_receipts", *arguments, "--format", "json", stdout=out, stderr=StringIO())
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


@pytest.fixture(autouse=True)
def _usage(alice: Any, bob: Any) -> None:
    account_tier("physics", "mu")
    make_job()
    make_job(username="bob")
    make_job(state="NODE_FAIL")


def test_the_json_is_the_one_of_the_interface() -> None:
    result = run("--all", *OCTOBER)
    rows = [{key: row[key] for key in ("username", "tier", "items", "total", "currency")} for row in result["receipts"]]
    expected = {"tier": "mu", "items": 1, "total": "8.00", "currency": "THB"}
    assert rows == [{"username": "alice", **expected}, {"username": "bob", **expected}]
    assert result["skipped"] == {"free_state": 1}


def test_a_second_run_makes_nothing() -> None:
    run("--all", *OCTOBER)
    assert run("--all", *OCTOBER)["receipts"] == []
    assert Receipt.objects.count() == 2


def test_what_is_left_out_is_told_in_words() -> None:
    for number in range(2):
        make_job(username="nobody-here", job_id=f"9{number}")
    for lines in ((2, "left out"), (0, "0 receipts made")):
        out = StringIO()
        call_command("create_receipts", "--all", *OCTOBER, stdout=out)
        told = out.getvalue().splitlines()
        assert len([line for line in told if line.startswith("receipt ")]) == lines[0]
        assert any(line.startswith(lines[1]) for line in told)
        assert any("2 jobs whose user has no account here" in line and "(no_user)" in line for line in told)


def test_one_user_only() -> None:
    assert [row["username"] for row in run("--user", "bob", *OCTOBER)["receipts"]] == ["bob"]


def test_a_dry_run_shows_all_and_leaves_nothing() -> None:
    before = AuditLog.objects.count()
    assert len(run("--all", *OCTOBER, "--dry-run")["receipts"]) == 2
    assert Receipt.objects.count() == 0
    assert not Job.objects.exclude(claimed_by="").exists()
    assert AuditLog.objects.count() == before


def test_a_failing_user_is_parked_and_the_run_exits_3() -> None:
    Tier.objects.create(code="norate", name="No rate")
    account_tier("chem", "norate")
    make_job(username="bob", account="chem")
    errors = StringIO()
    with pytest.raises(SystemExit) as stop:
        call_command("create_receipts", "--all", *OCTOBER, stdout=StringIO(), stderr=errors)
    assert stop.value.code == 3
    assert "bob" in errors.getvalue()
    assert "norate" in errors.getvalue()
    assert Receipt.objects.values_list("user_id", flat=True).get() == "alice"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--all", "--start", "2026-10-31", "--end", "2026-10-01"),
        ("--user", "nobody"),
    ],
)
def test_wrong_arguments_are_exit_2(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as error:
        call_command("create_receipts", *arguments)
    assert error.value.returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [(), ("--all", "--user", "alice"), ("--all", "--start", "31.10.2026"), ("--all", "--start", "2026-13-01")],
)
def test_arguments_that_cannot_be_read_are_refused_before_anything_is_done(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        call_command("create_receipts", *arguments)
    assert Receipt.objects.count() == 0


def test_an_unknown_user_is_named() -> None:
    with pytest.raises(CommandError, match="nobody"):
        call_command("create_receipts", "--user", "nobody")


@pytest.mark.parametrize(
    "record", [{"cpu_core_seconds": 4 * 10**15}, {"gpu_seconds": 10**15, "cpu_core_seconds": 0}], ids=["cores", "GPUs"]
)
def test_a_record_that_no_receipt_can_hold_parks_its_user_in_words(record: dict[str, int]) -> None:
    """It ended the run of everybody: on PostgreSQL at the insert, on SQLite when the receipt was read again."""
    make_job(username="bob", **record)
    out, errors = StringIO(), StringIO()
    with pytest.raises(SystemExit) as stop:
        call_command("create_receipts", "--all", *OCTOBER, "--format", "json", stdout=out, stderr=errors)
    assert stop.value.code == 3
    result = json.loads(out.getvalue())
    assert [row["username"] for row in result["receipts"]] == ["alice"]
    assert "bob: The jobs come to more than a receipt can hold" in errors.getvalue()
    assert Receipt.objects.get().total == 8
