"""Why is this job not on my receipt? One answer for every job, and receipts agree with it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from accounts.models import BillingMode, Organisation, Project, Tier
from billing.selectors.jobs.billable import candidates_of, preview_receipts
from billing.selectors.jobs.standing import quarantined_standing, standing_of, standings
from billing.services.pricing.rates import NewRates, set_rates
from billing.services.receipts import create_receipts, void_receipt
from core.context import SYSTEM, Actor
from tests.factories import NOON, account_tier, make_job, make_jobs, make_run
from usage.models import Hold, QuarantinedRow

pytestmark = pytest.mark.django_db


def bill() -> Any:
    return create_receipts(actor=Actor("alice"), username="alice", start=None, end=None)


@pytest.fixture(autouse=True)
def _tier(alice: Any) -> None:
    account_tier("physics", "mu")


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({}, "next_receipt", "15 Oct 2026"),
        ({"state": "RUNNING", "end_at": None}, "running", "not ended"),
        ({"state": "SUSPENDED", "end_at": None}, "running", "not ended"),
        ({"state": "PENDING", "end_at": None, "elapsed_seconds": 0}, "pending", "waiting"),
        ({"state": "COMPLETED", "end_at": None}, "no_end", "COMPLETED"),
        ({"state": "NODE_FAIL"}, "free_state", "NODE_FAIL"),
        ({"elapsed_seconds": 0}, "zero_time", "zero seconds"),
        ({"hold": Hold.RUNAWAY}, "runaway", "60 days"),
        ({"hold": Hold.CLEARED}, "next_receipt", "next receipt"),
        ({"username": "nobody-here"}, "no_user", "nobody-here"),
        ({"claimed_by": "invoice:7"}, "billed", "an invoice of its organisation"),
        ({"claimed_by": "receipt:999999"}, "billed", "receipt:999999"),
    ],
)
def test_every_job_has_one_answer(fields: dict[str, Any], code: str, words: str) -> None:
    found = standing_of(make_job(**fields))
    assert found.code == code
    assert words in found.words


def test_a_billed_job_names_its_receipt_and_a_void_frees_it() -> None:
    job = make_job()
    (receipt,) = bill()
    job.refresh_from_db()
    found = standing_of(job)
    assert (found.code, found.link) == ("billed", f"/receipts/{receipt.pk}/")
    assert "pending" in found.words
    void_receipt(actor=SYSTEM, receipt=receipt, reason="wrong")
    job.refresh_from_db()
    assert standing_of(job).code == "next_receipt"


def test_the_link_of_the_next_receipt_covers_the_job() -> None:
    assert standing_of(make_job()).link == "/receipts/new/?start=2026-10-15&end=2026-10-15"


def test_a_tier_without_a_price_and_one_that_is_free() -> None:
    Tier.objects.create(code="norate", name="No rate")
    free = Tier.objects.create(code="gratis", name="Gratis")
    set_rates(actor=SYSTEM, tier=free, rates=NewRates(Decimal(0), Decimal(0), Decimal(0)))
    account_tier("new-*", "norate")
    account_tier("free-*", "gratis")
    assert standing_of(make_job(account="new-lab")).code == "no_rate"
    assert standing_of(make_job(account="free-lab")).code == "free_tier"


def test_the_used_basis_needs_the_cpu_time() -> None:
    mu = Tier.objects.get(pk="mu")
    set_rates(actor=SYSTEM, tier=mu, rates=NewRates(Decimal(1), Decimal(0), Decimal(0), cpu_basis="used"))
    assert standing_of(make_job()).code == "no_cpu_time"
    assert standing_of(make_job(used_cpu_seconds=5)).code == "next_receipt"


def test_an_invoiced_organisation_says_so() -> None:
    organisation = Organisation.objects.create(name="Big lab", billing_mode=BillingMode.INVOICES)
    Project.objects.create(organisation=organisation, name="p").accounts.create(account="biglab")
    found = standing_of(make_job(account="biglab"))
    assert (found.code, "biglab" in found.words) == ("by_invoice", True)


def test_only_what_the_next_receipt_will_hold_says_so(alice: Any) -> None:
    """The answers and the receipts come from the same rules."""
    kinds: list[dict[str, Any]] = [
        {}, {"state": "NODE_FAIL"}, {"elapsed_seconds": 0}, {"hold": Hold.RUNAWAY}, {"hold": Hold.CLEARED},
        {"state": "RUNNING", "end_at": None}, {"state": "COMPLETED", "end_at": None}, {"state": "FAILED"},
    ]  # fmt: skip
    jobs = [make_job(**fields) for fields in kinds]
    promised = {pk for pk, found in standings(jobs).items() if found.code == "next_receipt"}
    assert promised == set(candidates_of("alice", None, None).values_list("pk", flat=True))
    assert preview_receipts(username="alice", start=None, end=None).skipped == {
        "free_state": 1, "zero_time": 1, "runaway": 1, "not_ended": 2,
    }  # fmt: skip
    (receipt,) = bill()
    keys = {job.job_key for job in jobs if job.pk in promised}
    assert set(receipt.items.values_list("job_key", flat=True)) == keys


def test_the_number_of_queries_does_not_grow(django_assert_max_num_queries: Any) -> None:
    jobs = make_jobs(3)
    with django_assert_max_num_queries(10) as few:
        standings(jobs)
    jobs = make_jobs(300, end_at=NOON + timedelta(days=1))
    with django_assert_max_num_queries(len(few)):
        standings(jobs)


def refused(**fields: Any) -> QuarantinedRow:
    values = {"job_id_display": "77", "username": "alice", "reason": "bad_duration", "raw": "x", "source": "csv"}
    digest = str(QuarantinedRow.objects.count())
    return QuarantinedRow.objects.create(run=make_run(), raw_sha256=digest, **{**values, **fields})


def test_a_refused_record_is_an_answer_too() -> None:
    assert quarantined_standing("77", "alice") is None
    refused()
    found = quarantined_standing("77", "alice")
    assert found is not None
    assert (found.code, "elapsed time" in found.words) == ("quarantined", True)
    assert quarantined_standing("77", "bob") is None
    assert quarantined_standing("7", "alice") is None


@pytest.mark.parametrize(("status", "code"), [("dismissed", "dismissed"), ("accepted", None)])
def test_a_decided_record_says_what_became_of_it(status: str, code: str | None) -> None:
    refused(status=status, decided_at=NOON, decided_by="fin", note="not for users")
    found = quarantined_standing("77", "alice")
    assert (found and found.code) == code
    assert "not for users" not in (found.words if found else "")


def test_an_open_record_speaks_before_a_dismissed_one() -> None:
    refused(status="dismissed", decided_at=NOON, decided_by="fin", note="no")
    refused()
    refused(status="dismissed", decided_at=NOON, decided_by="fin", note="no")
    found = quarantined_standing("77", "alice")
    assert found is not None
    assert found.code == "quarantined"


def test_the_answer_comes_in_thai() -> None:
    with translation.override("th"):
        assert "ใบแจ้งค่าบริการ" in standing_of(make_job()).words


def test_days_are_the_sites_days() -> None:
    late = make_job(end_at=NOON.replace(hour=17))
    assert str(date(2026, 10, 16)) in standing_of(late).link
