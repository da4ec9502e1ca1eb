"""The admin of this room: everything can be seen; rows, holds and clusters are decided about, nothing is edited."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import AuditLog
from tests.factories import make_job
from tests.usage.helpers import HEADER, LIVE, row, run_import, write
from usage.models import Cluster, Hold, ImportRun, Job, QuarantinedRow
from usage.reasons import in_words
from usage.selectors.freshness import data_until

pytestmark = pytest.mark.django_db
NOTHING = "Nothing fits the search and the filters"


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
    for each in (Job.objects.first(), ImportRun.objects.first(), QuarantinedRow.objects.first()):
        assert each is not None
        page(console, f"{each._meta.model_name}/{each.pk}/change/")


def test_nothing_can_be_added_changed_or_deleted(console: Client) -> None:
    for each in (Job.objects.first(), ImportRun.objects.first(), QuarantinedRow.objects.first()):
        assert each is not None
        where = f"/admin/usage/{each._meta.model_name}"
        assert console.get(f"{where}/add/").status_code == 403
        assert console.post(f"{where}/{each.pk}/change/", {"state": "X"}).status_code == 403
        assert console.post(f"{where}/{each.pk}/delete/", {"post": "yes"}).status_code == 403
    assert console.post(f"/admin/usage/cluster/{Cluster.objects.get().pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_run_tells_its_reasons_notes_and_columns_in_words(console: Client) -> None:
    run = ImportRun.objects.get()
    shown = page(console, f"importrun/{run.pk}/change/")
    assert run.by_reason
    for reason, number in run.by_reason.items():
        assert f"<li>{in_words(reason)}: {number}</li>" in shown
        assert reason not in shown
    assert ", ".join(run.columns) in shown
    assert "[&quot;" not in shown


def test_a_run_leads_to_its_refused_rows_and_they_are_filtered_by_reason(console: Client) -> None:
    run = ImportRun.objects.get()
    assert f"/admin/usage/quarantinedrow/?run__id__exact={run.pk}" in page(console, "importrun/")
    assert "4 quarantined rows" in page(console, f"quarantinedrow/?run__id__exact={run.pk}")
    assert NOTHING in page(console, "quarantinedrow/?reason__exact=no_user")


def test_a_job_is_found_by_id_user_and_account(console: Client) -> None:
    for words, number in (("1000", 1), ("carol", Job.objects.filter(username="carol").count()), ("no-such", 0)):
        assert (f"{number} job" if number else NOTHING) in page(console, f"job/?q={words}")


def test_selected_jobs_leave_as_csv_without_formulas_and_the_export_is_audited(console: Client) -> None:
    Job.objects.filter(job_id=1000).update(job_name="=1+1")
    chosen = {"action": "export_csv", "_selected_action": [Job.objects.get(job_id=1000).pk]}
    response = console.post("/admin/usage/job/", chosen)
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.splitlines()[1].startswith("bench:1000:1795187052,bench,1000,alice,physics")
    assert "'=1+1" in text
    assert AuditLog.objects.filter(action="export", target="jobs", actor="root", status="done").count() == 1


# --- clusters ----------------------------------------------------------------
def test_a_cluster_is_added_by_name_and_audited(console: Client) -> None:
    where = "/admin/usage/cluster/add/"
    assert "ClusterName" in console.post(where, {"name": "two words"}).content.decode()
    assert "already exists" in console.post(where, {"name": "bench"}).content.decode()
    fields = {"name": "gpu-2", "timezone": "Asia/Tokyo", "source": "sacct"}
    assert console.post(where, fields).status_code == 302
    made = Cluster.objects.get(name="gpu-2")
    assert (made.timezone, made.source) == ("Asia/Tokyo", "sacct")
    assert AuditLog.objects.get(action="object_add").target == "gpu-2"


def test_a_clusters_zone_and_source_can_be_set_and_its_name_not(console: Client) -> None:
    cluster = Cluster.objects.get()
    where = f"/admin/usage/cluster/{cluster.pk}/change/"
    assert "not a time zone" in console.post(where, {"timezone": "Mars/Olympus"}).content.decode()
    assert "Select a valid choice" in console.post(where, {"source": "telepathy"}).content.decode()
    changes = {"timezone": "Asia/Tokyo", "source": "csv", "name": "other", "read_until_0": "2026-01-01"}
    assert console.post(where, changes).status_code == 302
    cluster.refresh_from_db()
    assert (cluster.name, cluster.timezone, cluster.source, cluster.read_until) == ("bench", "Asia/Tokyo", "csv", None)
    entry = AuditLog.objects.get(action="object_change")
    assert entry.changes == {"source": ["", "csv"], "timezone": ["", "Asia/Tokyo"]}


def test_the_operator_adds_clusters_and_finance_does_not(client: Client, make_user: Any, finance: Any) -> None:
    client.force_login(make_user("op", role="admin", groups=["Operator"]))
    assert client.get("/admin/usage/cluster/add/").status_code == 200
    client.force_login(finance)
    assert client.get("/admin/usage/cluster/add/").status_code == 403


# --- refused rows ------------------------------------------------------------
LISTS = "/admin/usage/quarantinedrow/"


@pytest.fixture
def broken(tmp_path: Path) -> QuarantinedRow:
    run_import(write(tmp_path / "a.psv", row(6), row(7, ElapsedRaw="much")))
    ImportRun.objects.update(columns=HEADER.split("|"), delimiter="|")
    return QuarantinedRow.objects.get()


@pytest.fixture
def as_finance(finance: Any) -> Client:
    client = Client()
    client.force_login(finance, backend="django.contrib.auth.backends.ModelBackend")
    return client


def cells(**changes: str) -> dict[str, str]:
    names = HEADER.split("|")
    values = dict(zip(names, row(7).split("|"), strict=True)) | changes
    return {f"cell_{place}": values[name] for place, name in enumerate(names)}


def test_a_row_is_corrected_cell_by_cell_and_released(as_finance: Client, broken: QuarantinedRow) -> None:
    where = f"{LISTS}{broken.pk}/decide/"
    assert where in as_finance.get(f"{LISTS}{broken.pk}/change/").content.decode()
    page = as_finance.get(where).content.decode()
    assert "its elapsed time cannot be read" in page
    assert 'value="much"' in page
    answer = as_finance.post(where, {**cells(), "note": "asked", "release": "1"}, follow=True)
    assert "released as job c1:7:1789999000" in answer.content.decode()
    broken.refresh_from_db()
    assert (broken.status, broken.corrected, broken.note) == ("accepted", row(7), "asked")
    page = as_finance.get(f"{LISTS}{broken.pk}/change/").content.decode()
    assert where not in page
    assert f"/admin/usage/job/{Job.objects.get(job_id=7).pk}/change/" in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ElapsedRaw": "more"}, "elapsed time cannot be read"),
        ({"User": ""}, "names no user"),
        ({"Account": "a|b"}, "delimiter"),
        ({"Account": "a\nb"}, "line break"),
    ],
)
def test_what_is_still_wrong_is_said_and_what_was_typed_is_kept(
    as_finance: Client, broken: QuarantinedRow, changes: dict[str, str], words: str
) -> None:
    answer = as_finance.post(f"{LISTS}{broken.pk}/decide/", {**cells(**changes), "note": "my note", "release": "1"})
    page = answer.content.decode()
    assert words in page
    assert "my note" in page
    broken.refresh_from_db()
    assert broken.status == "open"
    assert Job.objects.count() == 1


def test_a_row_is_dismissed_from_its_page_with_a_note(as_finance: Client, broken: QuarantinedRow) -> None:
    where = f"{LISTS}{broken.pk}/decide/"
    assert "Say why" in as_finance.post(where, {"note": " ", "dismiss": "1"}).content.decode()
    as_finance.post(where, {"note": "a test", "dismiss": "1"})
    broken.refresh_from_db()
    assert (broken.status, broken.note, broken.decided_by) == ("dismissed", "a test", "fin")
    answer = as_finance.post(where, {**cells(), "release": "1"}, follow=True)
    assert "decided already" in answer.content.decode()


def test_rows_are_dismissed_in_bulk_after_a_question(as_finance: Client, broken: QuarantinedRow) -> None:
    chosen = {"action": "dismiss_action", "_selected_action": [broken.pk]}
    assert "Dismiss 1 row" in as_finance.post(LISTS, chosen).content.decode()
    broken.refresh_from_db()
    assert broken.status == "open"
    answer = as_finance.post(LISTS, {**chosen, "confirm": "1", "text": "all tests"}, follow=True)
    assert "1 row dismissed." in answer.content.decode()
    broken.refresh_from_db()
    assert (broken.status, broken.note) == ("dismissed", "all tests")


def test_a_row_that_does_not_fit_its_columns_is_corrected_as_text(as_finance: Client, tmp_path: Path) -> None:
    run_import(write(tmp_path / "a.psv", row(6), "7|alice"))
    ImportRun.objects.update(columns=HEADER.split("|"), delimiter="|")
    mine = QuarantinedRow.objects.get()
    where = f"{LISTS}{mine.pk}/decide/"
    assert "<textarea" in as_finance.get(where).content.decode()
    as_finance.post(where, {"text": row(7), "release": "1"})
    assert Job.objects.filter(job_id=7).exists()


def test_rows_are_filtered_by_status_reason_and_run(as_finance: Client, broken: QuarantinedRow) -> None:
    for query, number in (
        ("status__exact=open", 1), ("status__exact=dismissed", 0), ("reason__exact=bad_duration", 1),
        ("reason__exact=no_user", 0), (f"run__id__exact={broken.run_id}", 1), ("q=alice", 1), ("q=nobody", 0),
    ):  # fmt: skip
        shown = as_finance.get(f"{LISTS}?{query}").content.decode()
        assert (f"{number} quarantined row" if number else NOTHING) in shown, query


def test_reasons_are_worded_in_the_filter(as_finance: Client, broken: QuarantinedRow) -> None:
    page = as_finance.get(LISTS).content.decode()
    assert '<option value="bad_duration">its elapsed time cannot be read</option>' in " ".join(page.split())


def test_a_row_of_a_job_that_is_there_already_says_so(as_finance: Client, broken: QuarantinedRow) -> None:
    same = cells(JobIDRaw="6", JobID="6")
    answer = as_finance.post(f"{LISTS}{broken.pk}/decide/", {**same, "release": "1"}, follow=True)
    assert "was there already" in answer.content.decode()
    assert Job.objects.count() == 1


def test_a_released_row_is_no_news_of_the_source(as_finance: Client, broken: QuarantinedRow) -> None:
    before = data_until()
    as_finance.post(f"{LISTS}{broken.pk}/decide/", {**cells(), "release": "1"})
    assert Job.objects.filter(job_id=7).exists()
    assert data_until() == before


def test_who_may_only_look_decides_nothing(client: Client, auditor: Any, broken: QuarantinedRow) -> None:
    client.force_login(auditor)
    where = f"{LISTS}{broken.pk}/decide/"
    assert where not in client.get(f"{LISTS}{broken.pk}/change/").content.decode()
    assert client.get(where).status_code == 403
    assert client.post(where, {**cells(), "release": "1"}).status_code == 403
    client.post(LISTS, {"action": "dismiss_action", "_selected_action": [broken.pk], "confirm": "1", "text": "x"})
    broken.refresh_from_db()
    assert broken.status == "open"


def test_hostile_text_of_a_row_is_text(as_finance: Client, broken: QuarantinedRow) -> None:
    QuarantinedRow.objects.update(raw="<script>alert(1)</script>", detail="<b>x")
    for where in (LISTS, f"{LISTS}{broken.pk}/change/", f"{LISTS}{broken.pk}/decide/"):
        assert "<script>alert" not in as_finance.get(where).content.decode()


# --- jobs held back ----------------------------------------------------------
def held_jobs() -> tuple[Job, Job, Job]:
    held = make_job(hold=Hold.RUNAWAY, elapsed_seconds=61 * 86_400)
    lost = make_job(state="RUNNING", end_at=None, start_at=timezone.now() - timedelta(days=61))
    return held, lost, make_job(state="RUNNING", end_at=None, start_at=timezone.now() - timedelta(days=59))


def test_held_and_never_closed_jobs_are_found(as_finance: Client, alice: Any) -> None:
    held, lost, _usual = held_jobs()
    for query, found in (("held=runaway", held), ("held=open", lost)):
        text = as_finance.get(f"/admin/usage/job/?{query}").content.decode()
        assert "1 job" in text
        assert f">{found.job_id_display}</a>" in text
    front = as_finance.get("/admin/").content.decode()
    assert "Jobs held back" in front
    assert "Jobs never closed" in front


def test_finance_clears_a_hold_with_a_note(as_finance: Client, alice: Any) -> None:
    held, *_rest = held_jobs()
    chosen = {"action": "clear_hold_action", "_selected_action": [held.pk]}
    question = as_finance.post("/admin/usage/job/", chosen).content.decode()
    assert "61 days" in question
    assert "Let 1 job be billed" in question
    as_finance.post("/admin/usage/job/", {**chosen, "confirm": "1", "text": "the user confirmed"})
    held.refresh_from_db()
    assert held.hold == Hold.CLEARED
    assert AuditLog.objects.get(action="usage_hold_clear").extra["note"] == "the user confirmed"


def test_the_page_of_a_job_offers_what_can_be_done_now(as_finance: Client, alice: Any) -> None:
    held, lost, usual = held_jobs()
    Job.objects.filter(pk=usual.pk).update(hold=Hold.RUNAWAY)  # it is running: it may yet become longer
    offers = [
        'name="action" value="clear_hold_action"'
        in as_finance.get(f"/admin/usage/job/{job.pk}/change/").content.decode()
        for job in (held, lost, usual)
    ]
    assert offers == [True, False, False]
    assert "0 of 1 selected" in as_finance.get("/admin/usage/job/?held=runaway").content.decode()


def test_the_operator_sees_holds_and_cannot_clear_them(client: Client, make_user: Any, alice: Any) -> None:
    held, *_rest = held_jobs()
    client.force_login(make_user("op", role="admin", groups=["Operator"]))
    chosen = {"action": "clear_hold_action", "_selected_action": [held.pk], "confirm": "1", "text": "x"}
    client.post("/admin/usage/job/", chosen)
    held.refresh_from_db()
    assert held.hold == Hold.RUNAWAY


def test_the_page_of_a_job_says_why_it_is_not_billed_and_shows_its_record(as_finance: Client, alice: Any) -> None:
    made = make_job(hold=Hold.RUNAWAY, raw='{"JobID":"7","JobName":"<b>x"}')
    text = as_finance.get(f"/admin/usage/job/{made.pk}/change/").content.decode()
    assert "Finance looks at it before it is billed." in text
    assert '<th scope="row">JobID</th><td>7</td>' in text
    assert "<b>x" not in text
