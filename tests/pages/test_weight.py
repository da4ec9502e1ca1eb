"""What a page may cost: statements, bytes, files."""

from __future__ import annotations

import re
from typing import Any

import pytest

from accounts.models import Organisation, Project, ProjectLead
from billing.services.receipts import create_receipts
from core.context import Actor
from tests.factories import make_jobs
from usage.models import Job

MOST_QUERIES, MOST_BYTES = 15, 150_000
PAGES = [
    "/", "/usage/", "/usage/?period=all", "/usage/?view=aggregate", "/usage/?view=billed&period=all",
    "/usage/?q=501", "/usage/{job}/", "/usage/{billed}/", "/receipts/", "/receipts/?status=paid", "/receipts/new/",
    "/receipts/new/?start=&end=", "/receipts/{receipt}/", "/receipts/{shared}/", "/projects/", "/projects/{project}/",
    "/projects/{project}/usage/", "/projects/{project}/usage/?view=aggregate", "/projects/{project}/usage/?user=bob",
    "/projects/{project}/receipts/new/", "/projects/{project}/receipts/new/?start=&end=", "/playground/",
    "/playground/?view=script", "/account/", "/accounts/password/", "/payments/thanks?rid={receipt}", "/verify/",
    "/nowhere/", "/receipts/999999/", "/subscriptions/", "/subscriptions/new/", "/prepared/",
]  # fmt: skip


@pytest.fixture
def world(as_alice: Any, alice: Any, bob: Any, jobs: None, days_ago: Any) -> dict[str, int]:
    """Alice with two pages of jobs, receipts, and two projects to lead, one of them full of jobs of others."""
    organisation = Organisation.objects.create(name="Science")
    led = [Project.objects.create(organisation=organisation, name=name) for name in ("Low temperature", "Pressure")]
    for project, account in zip(led, ("physics", "pressure"), strict=True):
        project.accounts.create(account=account)
        ProjectLead.objects.create(project=project, user=alice)
    make_jobs(150, account="physics", end_at=days_ago(40), used_cpu_seconds=7200)
    own = create_receipts(actor=Actor("alice"), username="alice", start=days_ago(45).date(), end=days_ago(35).date())[0]
    make_jobs(150, username="bob", account="pressure", end_at=days_ago(4))
    shared = create_receipts(actor=Actor("alice"), username="alice", project=led[1].pk)[0]
    make_jobs(80, account="pressure", end_at=days_ago(3), used_cpu_seconds=7200)
    make_jobs(80, username="bob", account="pressure", end_at=days_ago(3))
    return {
        "job": Job.objects.get(job_id=501).pk, "billed": Job.objects.filter(claimed_by=own.claim)[0].pk,
        "receipt": own.pk, "shared": shared.pk, "project": led[1].pk,
    }  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_little_and_brings_little(
    as_alice: Any, world: dict[str, int], path: str, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(MOST_QUERIES):
        response = as_alice.get(path.format(**world))
    assert response.status_code == (404 if path in ("/nowhere/", "/receipts/999999/") else 200)
    page = response.content.decode()
    assert len(response.content) < MOST_BYTES
    assert len(re.findall(r'<link rel="stylesheet"', page)) == 1
    assert re.findall(r'(?:src|href|action)="(?:https?:)?//[^"]*"', page) == []
