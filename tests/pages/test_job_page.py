"""The page of a job: its own arithmetic, its answer, its record; nobody else's eyes."""

from __future__ import annotations

from typing import Any

import pytest

from billing.services.receipts import create_receipts, mark_paid
from core.context import Actor
from tests.factories import make_job, make_run
from tests.pages.conftest import text
from usage.models import Hold, Job, QuarantinedRow

pytestmark = pytest.mark.django_db


def job(number: int = 501) -> Job:
    return Job.objects.get(job_id=number)


def test_the_list_leads_to_the_job_and_the_job_says_all(as_alice: Any, jobs: None) -> None:
    where = f"/usage/{job().pk}/"
    assert where in as_alice.get("/usage/").content.decode()
    page = text(as_alice.get(where))
    for words in ("Job 501", "lattice", "not billed yet", "4.0000 × 1.00 = 4.00", "8.00", "8 GB", "COMPLETED"):
        assert words in page, words


def test_a_billed_job_shows_the_receipts_prices_and_leads_to_it(as_alice: Any, jobs: None) -> None:
    (first, _second) = create_receipts(actor=Actor("alice"), username="alice", start=None, end=None)
    response = as_alice.get(f"/usage/{job().pk}/")
    assert f"It is on receipt {first} (pending)." in text(response)
    assert f'href="/receipts/{first.pk}/"' in response.content.decode()
    assert f"/usage/{job().pk}/" in as_alice.get(f"/receipts/{first.pk}/").content.decode()


def test_anothers_job_is_as_absent_as_one_that_does_not_exist(as_bob: Any, as_alice: Any, jobs: None) -> None:
    answers = [as_bob.get(f"/usage/{job().pk}/"), as_bob.get("/usage/99999999/"), as_bob.get(f"/usage/{10**30}/")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert text(answers[0]) == text(answers[1])
    assert as_alice.get(f"/usage/{job().pk}/").status_code == 200


def test_finance_sees_everybodys_and_a_stranger_signs_in_first(as_finance: Any, client: Any, jobs: None) -> None:
    page = text(as_finance.get(f"/usage/{job().pk}/"))
    assert "alice" in page
    assert "Create a receipt" not in page
    assert client.get(f"/usage/{job().pk}/").status_code == 302


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "RUNNING", "end_at": None}, "running"),
        ({"state": "PENDING", "end_at": None, "elapsed_seconds": 0}, "waiting"),
        ({"state": "COMPLETED", "end_at": None}, "end not known"),
        ({"hold": Hold.RUNAWAY, "elapsed_seconds": 70 * 86_400}, "held for review"),
        ({"state": "NODE_FAIL"}, "free of charge"),
        ({"account": "", "partition": "", "job_name": "", "cpus": 0, "mem_mib": 0}, "not billed yet"),
    ],
)
def test_jobs_of_every_kind_have_a_page(as_alice: Any, fields: dict[str, Any], words: str) -> None:
    made = make_job(**fields)
    assert words in text(as_alice.get(f"/usage/{made.pk}/"))


def test_a_held_job_costs_nothing_yet_and_says_so_in_the_list(as_alice: Any, alice: Any, days_ago: Any) -> None:
    make_job(hold=Hold.RUNAWAY, elapsed_seconds=70 * 86_400, end_at=days_ago(1))
    response = as_alice.get("/usage/")
    assert "held for review" in text(response)
    assert response.context["totals"].cost == 0
    assert "implausibly long" in text(as_alice.get("/receipts/new/?start=&end="))


def test_the_record_is_shown_cell_by_cell_and_is_text(as_alice: Any, alice: Any) -> None:
    run = make_run()
    run.columns, run.delimiter = ["JobID", "JobName"], "|"
    run.save()
    made = make_job(raw="9|<script>alert(1)</script>")
    response = as_alice.get(f"/usage/{made.pk}/")
    assert "<script>alert" not in response.content.decode()
    assert "JobName" in text(response)


def test_a_search_that_finds_only_a_refused_record_says_so(as_alice: Any, as_bob: Any, alice: Any) -> None:
    QuarantinedRow.objects.create(
        run=make_run(),
        source="csv",
        reason="bad_time",
        raw="x",
        raw_sha256="1",
        job_id_display="4711",
        username="alice",
    )
    words = "The record of job 4711 could not be read"
    assert words in text(as_alice.get("/usage/?q=4711"))
    assert words not in text(as_alice.get("/usage/?q=4712"))
    assert words not in text(as_bob.get("/usage/?q=4711"))


def test_only_reading_is_allowed(as_alice: Any, jobs: None) -> None:
    assert as_alice.post(f"/usage/{job().pk}/").status_code == 405


def test_what_happened_to_a_job_is_told_without_the_names_of_machines(as_alice: Any, receipt: Any) -> None:
    mark_paid(actor=Actor("provider:omise"), receipt=receipt, method="omise", tx_ref="chrg_1")
    job = Job.objects.filter(claimed_by=receipt.claim)[0]
    page = text(as_alice.get(f"/usage/{job.pk}/"))
    assert "payment service" in page
    assert "provider:omise" not in page
