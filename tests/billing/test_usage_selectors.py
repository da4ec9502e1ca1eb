"""What jobs cost, for pages: every view of the same jobs tells the same sums."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Tier
from billing.selectors.jobs import job_pages, usage
from billing.selectors.jobs.usage import UsageFilter
from billing.selectors.pricing.prices import PriceBook
from billing.services.pricing.rates import NewRates, set_rates
from billing.services.receipts import create_receipts
from core.api.paging import behind, read_cursor
from core.context import SYSTEM, Actor
from tests.factories import NOON, account_tier, make_job, make_jobs
from usage.models import Job

pytestmark = pytest.mark.django_db
ALICE = UsageFilter("alice")


@pytest.fixture
def jobs(alice: Any) -> None:
    """Two accounts of two tiers over ten days, some billed, some free, one running."""
    account_tier("physics", "mu")
    account_tier("gov-*", "gov")
    for day in range(10):
        make_job(
            end_at=NOON + timedelta(days=day), elapsed_seconds=3600 + day, account="gov-lab" if day % 3 else "physics"
        )
    window = {"start": date(2026, 10, 1), "end": date(2026, 10, 18)}
    create_receipts(actor=Actor("alice"), username="alice", **window)
    make_job(state="NODE_FAIL")
    make_job(elapsed_seconds=0)
    make_job(state="RUNNING", end_at=None)
    make_job(username="bob")


def test_the_sums_of_every_view_agree(jobs: None) -> None:
    rows = list(usage.iter_rows(ALICE))
    totals = usage.totals(ALICE)
    by_account = usage.by_account(ALICE)
    cost = sum((row.cost for row in rows), Decimal(0))
    assert totals.cost == cost == sum((row.cost for row in by_account), Decimal(0))
    assert totals.jobs == len(rows) == sum(row.jobs for row in by_account) == 13
    assert totals.cpu_core_hours == sum((row.cpu_core_hours for row in rows), Decimal(0))
    assert totals.billed + totals.unbilled == totals.cost
    assert totals.billed == sum((row.cost for row in rows if row.receipt_id), Decimal(0))


def test_each_job_says_what_became_of_it(jobs: None) -> None:
    counts: dict[str, int] = {}
    for row in usage.iter_rows(ALICE):
        counts[row.status] = counts.get(row.status, 0) + 1
    assert counts == {"billed": 4, "unbilled": 6, "free": 1, "zero": 1, "running": 1}


def test_free_and_running_jobs_cost_nothing(jobs: None) -> None:
    assert {row.cost for row in usage.iter_rows(ALICE) if row.status in ("free", "zero", "running")} == {
        Decimal("0.00")
    }


def test_billed_jobs_keep_their_price_when_rates_change_the_others_follow(jobs: None) -> None:
    before = usage.totals(ALICE)
    mu = Tier.objects.get(pk="mu")
    set_rates(actor=SYSTEM, tier=mu, rates=NewRates(Decimal(100), Decimal(0), Decimal(0)))
    after = usage.totals(ALICE)
    assert after.billed == before.billed
    assert after.unbilled > before.unbilled


def test_a_tier_without_a_rate_shows_no_price(alice: Any) -> None:
    Tier.objects.create(code="norate", name="No rate")
    account_tier("*", "norate")
    make_job()
    assert usage.totals(ALICE).cost == 0


def test_paging_shows_every_job_once_also_when_many_ended_in_the_same_second(alice: Any) -> None:
    make_jobs(23)
    make_jobs(4, end_at=NOON + timedelta(hours=1))
    seen: list[int] = []
    cursor = ""
    for _ in range(10):
        page = job_pages.page(ALICE, after=cursor, size=5)
        seen += [row.job.pk for row in page.rows]
        cursor = page.next_cursor
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 27


def test_jobs_that_still_run_come_first_and_are_shown_once_however_many_there_are(alice: Any) -> None:
    make_jobs(3)
    running = [make_job(end_at=None, state="RUNNING").pk for _ in range(3)]
    first = job_pages.page(ALICE, size=2)
    second = job_pages.page(ALICE, size=2, after=first.next_cursor)
    assert [row.job.pk for row in first.rows] == running[:0:-1]
    assert second.rows[0].job.pk == running[0]
    assert [row.status for row in second.rows] == ["running", "unbilled"]


def test_a_deep_page_begins_in_the_index_and_not_at_its_top(alice: Any, django_assert_num_queries: Any) -> None:
    make_jobs(3)
    cursor = job_pages.page(ALICE, size=1).next_cursor
    with django_assert_num_queries(1) as seen:
        list(behind(Job.objects.order_by("-end_at", "-id"), ("end_at", "id"), read_cursor(cursor, 3)[1:]))
    assert '"end_at" <= ' in seen[0]["sql"]


def test_days_are_the_sites_days(alice: Any) -> None:
    account_tier("physics", "mu")
    make_job(end_at=NOON.replace(hour=16, minute=59))
    make_job(end_at=NOON.replace(hour=17, minute=0))
    assert [row.day for row in usage.by_day(ALICE)] == [date(2026, 10, 15), date(2026, 10, 16)]


@pytest.mark.parametrize(
    ("fields", "jobs_found"),
    [
        ({"account": "gov-lab"}, 6), ({"state": "NODE_FAIL"}, 1), ({"billed": "yes"}, 4), ({"billed": "no"}, 9),
        ({"start": date(2026, 10, 20)}, 5), ({"end": date(2026, 10, 15)}, 3), ({"query": "no such job"}, 0),
    ],
)  # fmt: skip
def test_filters_narrow_the_totals(jobs: None, fields: dict[str, Any], jobs_found: int) -> None:
    assert usage.totals(UsageFilter("alice", **fields)).jobs == jobs_found


def test_one_price_book_answers_all_questions_of_a_page(jobs: None, django_assert_num_queries: Any) -> None:
    book = PriceBook.load()
    with django_assert_num_queries(4):  # two each: which (user, account) pairs, then the sums
        usage.totals(ALICE, book)
        usage.by_account(ALICE, book)
