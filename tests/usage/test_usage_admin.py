"""The admin of this room: everything can be seen, nothing but a time zone can be changed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from audit.models import AuditLog
from tests.usage.helpers import LIVE, run_import
from usage.models import Cluster, ImportRun, Job, QuarantinedRow

pytestmark = pytest.mark.django_db


@pytest.fixture
def console(client: Client, superuser: Any) -> Client:
    run_import(LIVE / "sacct-X-D.psv")
    client.force_login(superuser)
    return client


def page(console: Client, path: str) -> str:
    response = console.get(f"/admin/usage/{path}")
    assert response.status_code == 200, (path, response.status_code)
    return response.content.decode()


def test_every_list_and_record_can_be_seen(console: Client) -> None:
    for model in ("job", "importrun", "quarantinedrow", "cluster"):
        page(console, f"{model}/")
    for row in (Job.objects.first(), ImportRun.objects.first(), QuarantinedRow.objects.first()):
        assert row is not None
        page(console, f"{row._meta.model_name}/{row.pk}/change/")


def test_nothing_can_be_added_changed_or_deleted(console: Client) -> None:
    for row in (Job.objects.first(), ImportRun.objects.first(), QuarantinedRow.objects.first()):
        assert row is not None
        where = f"/admin/usage/{row._meta.model_name}"
        assert console.get(f"{where}/add/").status_code == 403
        assert console.post(f"{where}/{row.pk}/change/", {"state": "X"}).status_code == 403
        assert console.post(f"{where}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert console.post(f"/admin/usage/cluster/{Cluster.objects.get().pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_run_leads_to_its_refused_rows_and_they_are_filtered_by_reason(console: Client) -> None:
    run = ImportRun.objects.get()
    assert f"/admin/usage/quarantinedrow/?run__id__exact={run.pk}" in page(console, "importrun/")
    assert "4 quarantined rows" in page(console, f"quarantinedrow/?run__id__exact={run.pk}")
    assert "0 quarantined rows" in page(console, "quarantinedrow/?reason__exact=no_user")


def test_a_job_is_found_by_id_user_and_account(console: Client) -> None:
    for words, number in (("1000", 1), ("carol", Job.objects.filter(username="carol").count()), ("no-such", 0)):
        assert f"{number} job" in page(console, f"job/?q={words}")


def test_selected_jobs_leave_as_csv_without_formulas_and_the_export_is_audited(console: Client) -> None:
    Job.objects.filter(job_id=1000).update(job_name="=1+1")
    chosen = {"action": "export_csv", "_selected_action": [Job.objects.get(job_id=1000).pk]}
    response = console.post("/admin/usage/job/", chosen)
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.splitlines()[1].startswith("bench:1000:1795187052,bench,1000,alice,physics")
    assert "'=1+1" in text
    assert AuditLog.objects.filter(action="usage_export", actor="root").count() == 1


def test_a_clusters_time_zone_can_be_set_and_its_name_not(console: Client) -> None:
    cluster = Cluster.objects.get()
    where = f"/admin/usage/cluster/{cluster.pk}/change/"
    assert "not a time zone" in console.post(where, {"timezone": "Mars/Olympus"}).content.decode()
    assert console.post(where, {"timezone": "Asia/Tokyo", "name": "other"}).status_code == 302
    cluster.refresh_from_db()
    assert (cluster.name, cluster.timezone) == ("bench", "Asia/Tokyo")
