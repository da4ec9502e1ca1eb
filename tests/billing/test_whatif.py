"""What a past period would have cost under other rates; nothing is written."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import Organisation, Project
from audit.models import AuditLog
from billing.drafts import DraftRates, read_drafts
from billing.models import Receipt
from billing.pricing import Rates, price
from billing.selectors.pricing.whatif import simulate
from billing.services.receipts import create_receipts
from core.context import Actor
from core.errors import BadInput
from tests.factories import NOON, account_tier, make_job
from usage.models import Job

OCTOBER = (date(2026, 10, 1), date(2026, 10, 31))
pytestmark = pytest.mark.django_db


def draft(cpu: str, gpu: str, mem: str) -> DraftRates:
    return DraftRates(Decimal(cpu), Decimal(gpu), Decimal(mem))


@pytest.fixture(autouse=True)
def _tiers(alice: Any) -> None:
    account_tier("physics", "mu")
    account_tier("gov-*", "gov")


def test_both_totals_the_tiers_and_who_gains_and_loses() -> None:
    make_job()  # mu: 4 x 1 + 8 x 0.5 = 8
    make_job(account="gov-lab", username="carol")  # gov: 4 x 3 + 8 x 1 = 20
    make_job(account="elsewhere", username="dave")  # private, not in the draft: 36
    found = simulate({"mu": draft("2", "5", "0.5"), "gov": draft("1", "1", "1")}, *OCTOBER)
    assert (found.total.current, found.total.candidate, found.total.delta) == (64, 60, -4)
    assert {each.name: each.delta for each in found.tiers} == {"University": 4, "Government": -8, "Private sector": 0}
    assert [(each.name, each.delta) for each in found.users] == [("carol", -8), ("alice", 4), ("dave", 0)]
    assert (found.gainers, found.losers) == (1, 1)


def test_organisations_are_those_behind_the_accounts() -> None:
    lab = Organisation.objects.create(name="Physics Department")
    Project.objects.create(organisation=lab, name="p").accounts.create(account="Physics")
    make_job()
    make_job(account="elsewhere")
    found = simulate({}, *OCTOBER)
    assert {each.name: each.jobs for each in found.organisations} == {"Physics Department": 1, "no organisation": 1}


def test_billed_jobs_count_as_well_and_what_is_never_charged_does_not() -> None:
    make_job()
    create_receipts(actor=Actor("alice"), username="alice", start=None, end=None)
    make_job()
    make_job(state="NODE_FAIL")
    make_job(elapsed_seconds=0)
    make_job(hold="runaway")
    make_job(end_at=None, state="RUNNING")
    make_job(end_at=NOON - timedelta(days=60))
    assert simulate({}, *OCTOBER).total.jobs == 2


def test_a_draft_of_the_used_basis_counts_what_was_used_and_nothing_where_it_is_not_known() -> None:
    make_job(used_cpu_seconds=1800)
    make_job(used_cpu_seconds=None)
    found = simulate({"mu": DraftRates(Decimal(1), Decimal(0), Decimal(0), cpu_basis="used")}, *OCTOBER)
    assert (found.total.current, found.total.candidate) == (16, Decimal("0.50"))


@settings(max_examples=60)
@given(
    seconds=st.lists(st.integers(1, 10**6), min_size=1, max_size=4),
    rates=st.tuples(*[st.decimals(0, 1000, places=6)] * 3),
)
def test_it_prices_by_the_engine_that_bills_to_the_last_satang(seconds: list[int], rates: tuple[Decimal, ...]) -> None:
    Job.objects.all().delete()
    jobs = [make_job(elapsed_seconds=each, gpus=each % 3) for each in seconds]
    found = simulate({"mu": DraftRates(*rates)}, None, None)
    costs = [
        price(cpu_seconds=job.cpu_core_seconds, gpu_seconds=job.gpu_seconds, mem_mib_seconds=job.mem_mib_seconds,
              rates=Rates(*rates)).cost for job in jobs
    ]  # fmt: skip
    assert found.total.candidate == sum(costs)


def test_nothing_is_written_and_the_statements_do_not_grow_with_the_jobs(django_assert_max_num_queries: Any) -> None:
    for number in range(40):
        make_job(username=f"user{number % 9}", account=f"acc{number % 4}")
    entries = AuditLog.objects.count()
    with django_assert_max_num_queries(10):
        simulate({"mu": draft("2", "5", "0.5")}, *OCTOBER)
    assert (Receipt.objects.count(), AuditLog.objects.count()) == (0, entries)


# --- the draft ---------------------------------------------------------------
def test_a_draft_is_json_or_csv_and_means_the_same() -> None:
    as_json = read_drafts('{"mu": {"cpu": 1.1, "gpu": "5", "mem": 0.1}}')
    assert as_json == read_drafts("\ufefftier, cpu, gpu, mem\nmu, 1.1, 5, 0.1\n") == {"mu": draft("1.1", "5", "0.1")}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("{", "not JSON"),
        ("[1]", "must map"),
        ('{"nobody": {"cpu": 1, "gpu": 1, "mem": 1}}', "nobody"),
        ('{"mu": {"cpu": 1, "gpu": 1}}', "mem"),
        ('{"mu": {"cpu": -1, "gpu": 1, "mem": 1}}', r"mu\.cpu"),
        ('{"mu": {"cpu": 1, "gpu": 1, "mem": "0.0000001"}}', r"mu\.mem.*6"),
        ('{"mu": {"cpu": 1, "gpu": 1, "mem": 1, "cpu_basis": "maybe"}}', "cpu_basis"),
        ("cpu,gpu,mem\n1,1,1", "columns tier"),
        ("tier,cpu,gpu,mem\nmu,1,1,1\nmu,2,2,2", "twice"),
        ('{"mu": {"cpu": 1, "gpu": 1, "mem": 1}, "mu": {"cpu": 2, "gpu": 2, "mem": 2}}', "mu stands twice"),
        ('{"mu": {"cpu": 1, "cpu": 2, "gpu": 1, "mem": 1}}', "cpu stands twice"),
        ('{"mu": {"cpu": 1, "gpu": 1, "mem": 1, "cpu_bassis": "used"}}', "mu: cpu_bassis is not known"),
        ("tier,cpu,gpu,mem,memory\nmu,1,1,1,2", "mu: memory is not known"),
    ],
)
def test_a_draft_that_cannot_be_used_is_refused_by_tier_and_field(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_drafts(text)


# --- the command -------------------------------------------------------------
def test_the_command_prints_totals_tiers_and_top_users(tmp_path: Path) -> None:
    make_job()
    file = tmp_path / "draft.json"
    file.write_text('{"mu": {"cpu": 2, "gpu": 5, "mem": 0.5}}')
    out = StringIO()
    call_command("simulate_rates", rates=str(file), start=OCTOBER[0], end=OCTOBER[1], format="json", stdout=out)
    found = json.loads(out.getvalue())
    assert (found["current"], found["candidate"], found["delta"]) == ("8.00", "12.00", "4.00")
    assert found["users"] == [
        {
            "name": "alice",
            "jobs": 1,
            "current": "8.00",
            "candidate": "12.00",
            "delta": "4.00",
            "unpriced": 0,
            "unpriced_candidate": 0,
        }
    ]
    text = StringIO()
    call_command("simulate_rates", rates=str(file), stdout=text)
    assert "nothing was written" in text.getvalue()


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), (b"\xff\xfe", "UTF-8"), (b"{", "JSON"),
                                               (b"tier,cpu\n\"" + b"x" * 200_000, "CSV")])  # fmt: skip
def test_a_file_that_is_no_draft_is_a_usage_error(content: bytes | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "draft"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CommandError, match=words) as error:
        call_command("simulate_rates", rates=str(file))
    assert error.value.returncode == 2


def test_a_file_without_end_is_no_draft() -> None:
    with pytest.raises(CommandError, match="larger than a rate table") as error:
        call_command("simulate_rates", rates="/dev/zero")
    assert error.value.returncode == 2


# --- the console -------------------------------------------------------------
def test_finance_asks_from_the_console_and_a_link_carries_the_question(finance: Any) -> None:
    make_job()
    browser = Client()
    browser.force_login(finance)
    where = reverse("admin:billing_whatif")
    assert browser.get(where).status_code == 200
    page = browser.get(where, {"start": "2026-10-01", "end": "2026-10-31", "mu.cpu": "2"}).content.decode()
    assert "12.00" in page
    assert "1 user would pay more" in page
    assert browser.get(where, {"start": "2026-10-31", "end": "2026-10-01"}).status_code == 400
    assert browser.get(where, {"start": "2026-10-01", "end": "", "mu.cpu": "-2"}).status_code == 400


def test_researchers_do_not_see_it_and_who_sets_the_rates_does(alice: Any, make_user: Any) -> None:
    editor = make_user("ed", role="admin", groups=["Rates editor"])
    for user, status in ((alice, 302), (editor, 200)):
        browser = Client()
        browser.force_login(user)
        assert browser.get(reverse("admin:billing_whatif")).status_code == status
