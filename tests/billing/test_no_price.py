"""A price that is missing is said to be missing: never zero, and never "nothing left to bill"."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.models import Tier
from billing.drafts import DraftRates
from billing.models import CpuBasis
from billing.selectors.jobs.unbilled import unbilled_sum
from billing.selectors.pricing.whatif import simulate
from billing.services.pricing.rates import NewRates, set_rates
from core.context import SYSTEM
from tests.factories import account_tier, make_job, make_jobs

pytestmark = pytest.mark.django_db
START, END = date(2026, 10, 1), date(2026, 10, 31)


@pytest.fixture
def unpriced(alice: Any) -> None:
    """One job at 8.00, and one of a tier that has no rate."""
    Tier.objects.create(code="new", name="New tier")
    account_tier("physics", "mu")
    account_tier("fresh", "new")
    make_job()
    make_job(account="fresh")


def test_home_names_the_jobs_without_a_price_and_does_not_say_that_all_is_billed(
    client: Any, alice: Any, unpriced: None
) -> None:
    found = unbilled_sum("alice")
    assert (found.jobs, found.total, found.unpriced) == (1, Decimal("8.00"), 1)
    client.force_login(alice)
    page = client.get("/").content.decode()
    assert "1 job has no price yet" in page
    assert "Everything is on a receipt" not in page


def test_lists_api_and_files_show_no_amount_for_it(client: Any, alice: Any, unpriced: None) -> None:
    client.force_login(alice)
    rows = client.get("/api/v1/jobs").json()["results"]
    assert sorted((row["account"], row["cost"], row["status"]) for row in rows) == [
        ("fresh", None, "unpriced"), ("physics", "8.00", "unbilled"),
    ]  # fmt: skip
    lines = b"".join(client.get("/usage.csv?period=all").streaming_content).decode().splitlines()
    (line,) = [line for line in lines if ",fresh," in line]
    assert "0.00" not in line.split(",")
    assert "no price yet" in client.get("/usage/?period=all").content.decode()


def test_used_cpu_time_that_nobody_knows_is_no_price_either(alice: Any) -> None:
    account_tier("physics", "mu")
    make_job(used_cpu_seconds=None)
    rates = NewRates(Decimal(1), Decimal(1), Decimal(1), cpu_basis=CpuBasis.USED)
    set_rates(actor=SYSTEM, tier=Tier.objects.get(pk="mu"), rates=rates)
    found = unbilled_sum("alice")
    assert (found.jobs, found.total, found.unpriced) == (0, Decimal(0), 1)


def test_what_if_counts_what_is_in_no_sum(alice: Any, unpriced: None, capsys: Any, tmp_path: Any) -> None:
    make_job(used_cpu_seconds=None)
    one = (Decimal(1), Decimal(1), Decimal(1))
    draft = {"mu": DraftRates(*one, CpuBasis.USED), "new": DraftRates(*one, CpuBasis.ALLOCATED)}
    found = simulate(draft, START, END).total
    assert (found.jobs, found.unpriced) == (3, 1)
    assert found.unpriced_candidate == 2, "the two jobs of mu do not tell their CPU time"
    table = tmp_path / "rates.json"
    table.write_text(json.dumps({"mu": {"cpu": "2", "gpu": "2", "mem": "2"}}))
    call_command("simulate_rates", "--rates", str(table))
    assert "1 jobs have no price now" in capsys.readouterr().out


def test_many_rows_can_be_exported_after_something_was_priced(client: Any, alice: Any) -> None:
    """SQLite takes no new function while a statement is being read."""
    account_tier("physics", "mu")
    make_jobs(4500, end_at=timezone.now() - timedelta(days=1))
    client.force_login(alice)
    body = b"".join(client.get("/usage.csv?period=all").streaming_content)
    assert body.count(b"\n") == 4501
    assert client.get("/usage.xlsx?period=all").status_code == 200
