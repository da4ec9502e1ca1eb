"""A job belongs to one document at most, and to none after that was voided."""

from __future__ import annotations

import pytest

from tests.factories import make_jobs
from tests.races import at_once
from usage.models import Job
from usage.services.claims import claim_jobs, release_jobs

pytestmark = pytest.mark.django_db


def test_a_claim_takes_only_what_nobody_has() -> None:
    first, *_others = make_jobs(3)
    assert claim_jobs(Job.objects.filter(pk=first.pk), document="receipt:1") == 1
    assert claim_jobs(Job.objects.all(), document="receipt:2") == 2
    assert Job.objects.get(pk=first.pk).claimed_by == "receipt:1"


def test_a_release_frees_that_documents_jobs_only() -> None:
    make_jobs(2)
    claim_jobs(Job.objects.filter(pk=Job.objects.order_by("pk")[0].pk), document="receipt:1")
    claim_jobs(Job.objects.all(), document="receipt:12")
    assert release_jobs(document="receipt:1") == 1
    assert Job.objects.filter(claimed_by="receipt:12").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_documents_at_once_each_job_goes_to_one() -> None:
    make_jobs(200)
    taken = at_once(10, lambda index: claim_jobs(Job.objects.all(), document=f"receipt:{index}"))
    assert sum(taken) == 200
    assert not Job.objects.filter(claimed_by="").exists()
