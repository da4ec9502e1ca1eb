"""Who leads a project sees its members' usage, takes it away and pays for it; nobody else does."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from accounts.models import Organisation, Project, ProjectLead
from audit.models import AuditLog
from billing.models import Receipt
from billing.services.receipts import create_receipts, void_receipt
from core.context import Actor
from core.errors import BadInput
from hpcbilling.books.jobs import billed_jobs, job_claims, receipt_prices
from hpcbilling.books.receipts import receipt_digests
from tests.factories import make_job, make_jobs
from tests.pages.conftest import text
from usage.models import Job


@pytest.fixture
def project(jobs: None, alice: Any) -> Project:
    """Alice leads what runs under ``physics``: a job of hers and one of Bob's. ``ministry`` belongs to nobody."""
    organisation = Organisation.objects.create(name="Science")
    project = Project.objects.create(organisation=organisation, name="Low temperature")
    project.accounts.create(account="physics")
    ProjectLead.objects.create(project=project, user=alice)
    return project


def paths(project: Project) -> list[str]:
    base = f"/projects/{project.pk}/"
    return [base, f"{base}usage/", f"{base}usage.csv", f"{base}usage.xlsx", f"{base}members.csv", f"{base}members.xlsx",
            f"{base}receipts/new/", f"{base}receipts/new/?start=&end="]  # fmt: skip


def table(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(response).decode("utf-8-sig"))))


def order(response: Any) -> dict[str, str]:
    return dict(re.findall(r'name="(start|end|expected)" value="([^"]*)"', response.content.decode())[-3:])


def test_the_lead_sees_what_every_member_used_and_what_it_costs(as_alice: Any, project: Project) -> None:
    words = text(as_alice.get(f"/projects/{project.pk}/"))
    assert "alice 1 4.00 – 8.00 8.00 8.00" in words
    assert "bob 1 4.00 – 8.00 8.00 8.00" in words
    assert "Total 2 8.00 0.00 16.00 16.00 16.00" in words
    assert "Not billed yet THB 16.00" in words


def test_only_one_project_is_opened_at_once_and_several_are_listed(as_alice: Any, alice: Any, project: Project) -> None:
    assert as_alice.get("/projects/")["Location"] == f"/projects/{project.pk}/"
    other = Project.objects.create(organisation=project.organisation, name="High pressure")
    ProjectLead.objects.create(project=other, user=alice)
    words = text(as_alice.get("/projects/"))
    assert words.index("High pressure") < words.index("Low temperature")


def test_the_jobs_of_the_project_are_listed_by_the_filters_of_the_usage_page(as_alice: Any, project: Project) -> None:
    base = f"/projects/{project.pk}/usage/"
    words = text(as_alice.get(base))
    assert "bobs-secret" in words
    assert "lattice" in words
    assert "census" not in words  # another account
    assert "lattice" not in text(as_alice.get(f"{base}?user=bob"))
    assert [str(chip.label) for chip in as_alice.get(f"{base}?user=bob").context["active"]] == ["Member"]


def test_the_files_hold_the_members_jobs_and_leave_a_trace(as_alice: Any, project: Project) -> None:
    rows = table(as_alice.get(f"/projects/{project.pk}/usage.csv?period=all&user=bob"))
    assert [(row["user"], row["job_id"], row["cost"]) for row in rows] == [("bob", "601", "8.00")]
    members = table(as_alice.get(f"/projects/{project.pk}/members.csv"))
    assert [(row["user"], row["jobs"], row["unbilled"]) for row in members] == [
        ("alice", "1", "8.00"),
        ("bob", "1", "8.00"),
    ]
    entries = AuditLog.objects.filter(action="export", status="done").order_by("id")
    assert [(entry.actor, entry.target) for entry in entries] == [
        ("alice", "project_usage"),
        ("alice", "project_members"),
    ]


def test_nobody_else_finds_any_of_it(as_bob: Any, as_finance: Any, project: Project) -> None:
    """A member is no lead; finance works in the console."""
    for path in paths(project):
        nobodys = as_bob.get(path.replace(f"/projects/{project.pk}/", "/projects/999999/"))
        assert as_bob.get(path).status_code == nobodys.status_code == 404, path
        assert as_finance.get(path).status_code == 404, path
    assert (
        as_bob.post(f"/projects/{project.pk}/receipts/new/", {"start": "", "end": "", "expected": "x"}).status_code
        == 404
    )
    assert "/projects/" not in as_bob.get("/").content.decode()


def test_strangers_are_sent_to_sign_in(client: Any, project: Project) -> None:
    for path in ["/projects/", *paths(project)]:
        assert client.get(path)["Location"].startswith("/accounts/login/"), path


@pytest.mark.parametrize("which", ["project", "organisation"])
def test_what_is_no_longer_active_is_led_by_nobody(as_alice: Any, project: Project, which: str) -> None:
    owner = project if which == "project" else project.organisation
    owner.is_active = False
    owner.save()
    assert {as_alice.get(path).status_code for path in paths(project)} == {404}
    bobs = Job.objects.get(job_id=601)
    assert as_alice.get(f"/usage/{bobs.pk}/").status_code == 404


def test_a_lead_opens_a_members_job_under_the_project_and_none_beside_it(
    as_alice: Any, bob: Any, project: Project
) -> None:
    inside, outside = Job.objects.get(job_id=601), make_job(username="bob", account="ministry")
    assert "bob" in text(as_alice.get(f"/usage/{inside.pk}/"))
    assert as_alice.get(f"/usage/{outside.pk}/").status_code == 404


def test_the_own_pages_of_a_lead_stay_the_leads_own(as_alice: Any, project: Project) -> None:
    assert "bobs-secret" not in text(as_alice.get("/usage/?user=bob&period=all"))
    assert as_alice.get("/usage.csv?user=bob").status_code == 400
    assert "THB 28.00" in text(as_alice.get("/usage/"))


def test_one_receipt_holds_the_jobs_of_all_members_and_the_lead_pays(
    as_alice: Any, as_bob: Any, project: Project
) -> None:
    address = f"/projects/{project.pk}/receipts/new/"
    preview = as_alice.get(f"{address}?start=&end=")
    assert "alice 1 job 8.00 bob 1 job 8.00" in text(preview)
    response = as_alice.post(address, order(preview))
    receipt = Receipt.objects.get()
    assert response["Location"] == receipt.get_absolute_url()
    assert (receipt.username, receipt.project_name, receipt.total, receipt.items.count()) == (
        "alice", "Low temperature", 16, 2,
    )  # fmt: skip
    assert [receipt_prices(), job_claims(), billed_jobs(), receipt_digests()] == [[], [], [], []]
    words = text(as_alice.get(receipt.get_absolute_url()))
    assert "project Low temperature" in words
    assert "bobs-secret bob physics" in words
    assert f"/payments/receipt/{receipt.pk}/start" in as_alice.get(receipt.get_absolute_url()).content.decode()
    assert AuditLog.objects.get(action="receipt_create").extra["project"] == "Low temperature"
    # Bob learns that his job is billed, and may open neither the receipt nor what else is on it.
    assert as_bob.get(receipt.get_absolute_url()).status_code == 404
    assert as_bob.get(f"/receipts/{receipt.pk}.pdf").status_code == 404
    assert f'href="{receipt.get_absolute_url()}"' not in as_bob.get("/usage/").content.decode()
    job = as_bob.get(f"/usage/{Job.objects.get(job_id=601).pk}/")
    assert f"It is on receipt {receipt}" in text(job)
    assert f'href="{receipt.get_absolute_url()}"' not in job.content.decode()


def test_a_second_lead_reads_the_receipt_and_is_offered_no_way_to_pay_it(
    as_bob: Any, bob: Any, project: Project
) -> None:
    (receipt,) = create_receipts(actor=Actor("alice"), username="alice", project=project.pk)
    ProjectLead.objects.create(project=project, user=bob)
    response = as_bob.get(receipt.get_absolute_url())
    assert response.status_code == 200
    assert f"/payments/receipt/{receipt.pk}/start" not in response.content.decode()
    assert as_bob.post(f"/payments/receipt/{receipt.pk}/start", {"way": "dummy.checkout"}).status_code == 404


def test_what_a_member_billed_meanwhile_is_not_billed_twice(as_alice: Any, project: Project) -> None:
    address = f"/projects/{project.pk}/receipts/new/"
    fields = order(as_alice.get(f"{address}?start=&end="))
    create_receipts(actor=Actor("bob"), username="bob")
    response = as_alice.post(address, fields, follow=True)
    assert response.redirect_chain[0][0].startswith(address)
    assert "Nothing was created; here is the new total." in text(response)
    assert Receipt.objects.filter(project=project).count() == 0
    as_alice.post(address, order(response))
    assert Receipt.objects.get(project=project).total == 8


def test_a_voided_receipt_of_the_project_frees_the_jobs_of_all(project: Project) -> None:
    (receipt,) = create_receipts(actor=Actor("alice"), username="alice", project=project.pk)
    void_receipt(actor=Actor("fin"), receipt=receipt, reason="Wrong days")
    assert create_receipts(actor=Actor("bob"), username="bob")[0].total == 8


def test_members_in_two_tiers_get_two_receipts(project: Project) -> None:
    from accounts.models import Tier, TierOverride

    TierOverride.objects.create(username="bob", tier=Tier.objects.get(pk="gov"), reason="guest", set_by="fin")
    made = create_receipts(actor=Actor("alice"), username="alice", project=project.pk)
    assert [(each.pricing_tier_id, each.items.count(), each.total) for each in made] == [("mu", 1, 8), ("gov", 1, 20)]
    assert [receipt_prices(), job_claims(), billed_jobs()] == [[], [], []]


def test_overrides_of_one_member_cut_that_members_jobs_alone(project: Project, settings: Any, days_ago: Any) -> None:
    """By the rates and tiers of the job's end: Bob is charged as a guest from a day on, Alice never."""
    from datetime import UTC, datetime

    from accounts.models import Tier, TierOverride
    from billing.models import RateVersion
    from core.periods import day_start
    from tests.factories import change_versions

    change_versions(RateVersion.objects.all(), effective_at=datetime(2020, 1, 1, tzinfo=UTC))
    settings.BILLING_PRICE_AT = "job_end"
    make_job(job_id=602, username="bob", account="physics", end_at=days_ago(20))
    make_job(job_id=503, account="physics", end_at=days_ago(20))
    since = days_ago(10).date()
    TierOverride.objects.create(
        username="bob", tier=Tier.objects.get(pk="gov"), reason="guest", set_by="fin", valid_from=since
    )
    made = create_receipts(actor=Actor("alice"), username="alice", project=project.pk)
    assert day_start(since) < days_ago(2)
    lines = {each.pricing_tier_id: set(each.items.values_list("job_id_display", flat=True)) for each in made}
    assert lines == {"mu": {"501", "503", "602"}, "gov": {"601"}}
    assert [receipt_prices(), billed_jobs()] == [[], []]


def test_a_project_is_billed_by_its_lead_alone(project: Project, bob: Any) -> None:
    with pytest.raises(BadInput):
        create_receipts(actor=Actor("bob"), username="bob", project=project.pk)
    assert not Receipt.objects.exists()


def test_the_books_find_a_job_of_another_account_on_a_receipt_of_the_project(project: Project) -> None:
    (receipt,) = create_receipts(actor=Actor("alice"), username="alice", project=project.pk)
    Job.objects.filter(job_id=601).update(account="ministry")
    assert len(billed_jobs()) == 1
    assert f"receipt {receipt.pk}" in billed_jobs()[0]


def test_a_project_without_accounts_says_what_is_missing(as_alice: Any, project: Project) -> None:
    project.accounts.all().delete()
    base = f"/projects/{project.pk}/"
    for path in (base, f"{base}usage/"):
        assert "No Slurm account belongs to this project yet" in text(as_alice.get(path))
    assert table(as_alice.get(f"{base}members.csv")) == []
    assert "Nothing to bill in this period" in text(as_alice.get(f"{base}receipts/new/?start=&end="))
    assert create_receipts(actor=Actor("alice"), username="alice", project=project.pk) == []


@pytest.mark.parametrize("path", ["", "usage/", "usage/?view=aggregate&period=all", "receipts/new/?start=&end="])
def test_queries_do_not_grow_with_jobs_and_members(
    as_alice: Any, project: Project, make_user: Any, days_ago: Any, path: str, django_assert_max_num_queries: Any
) -> None:
    url = f"/projects/{project.pk}/{path}"
    create_receipts(actor=Actor("bob"), username="bob")
    make_jobs(3, end_at=days_ago(1))
    with django_assert_max_num_queries(40) as few:
        as_alice.get(url)
    for number in range(20):
        make_user(f"member{number}")
        make_jobs(10, username=f"member{number}", end_at=days_ago(1))
    with django_assert_max_num_queries(len(few)):
        as_alice.get(url)
