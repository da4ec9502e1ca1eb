"""A refused row is corrected and released, or dismissed with a note; one decision, by one person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit.models import AuditLog
from core.context import SYSTEM, Actor
from core.errors import BadInput
from tests.races import at_once
from tests.usage.helpers import HEADER, row, run_import, write
from usage.models import Adjustment, Cluster, ImportRun, ImportStatus, Job, QuarantinedRow, ReviewStatus
from usage.raws import join_cells
from usage.services.quarantine import dismiss_row, release_row
from usage.services.reviews import AlreadyDecided

pytestmark = pytest.mark.django_db
FIN = Actor("fin")


def bring(path: Path, *lines: str, header: str = HEADER) -> None:
    """Import the lines; their run knows its columns."""
    run_import(write(path, *lines, header=header))
    delimiter = "|" if "|" in header else ","
    ImportRun.objects.update(columns=header.split(delimiter), delimiter=delimiter)


@pytest.fixture
def broken(tmp_path: Path) -> QuarantinedRow:
    """Job 7 with an elapsed time that nobody can read, between two good ones."""
    bring(tmp_path / "a.psv", row(6), row(7, ElapsedRaw="much"), row(8))
    return QuarantinedRow.objects.get()


def corrected(number: int = 7, **cells: Any) -> str:
    return row(number, **cells)


def test_a_corrected_row_becomes_a_job_and_remembers_everything(broken: QuarantinedRow) -> None:
    key = release_row(actor=FIN, row=broken, text=corrected(), note="asked the user")
    job = Job.objects.get(job_key=key)
    broken.refresh_from_db()
    assert (job.job_id, job.username, job.elapsed_seconds, job.source) == (7, "alice", 100, "csv")
    assert (broken.status, broken.job_key, broken.corrected) == ("accepted", key, corrected())
    assert (broken.note, broken.decided_by) == ("asked the user", "fin")
    assert broken.decided_at is not None
    run = job.import_run
    assert (run.source, run.actor, run.status) == ("quarantine", "fin", ImportStatus.DONE)
    assert (run.rows_read, run.imported, run.columns) == (1, 1, broken.run.columns)
    entry = AuditLog.objects.get(action="usage_row_release")
    assert (entry.actor, entry.target, entry.entity_id) == ("fin", key, str(broken.pk))
    assert entry.changes["raw"] == [broken.raw, corrected()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (row(7, ElapsedRaw="many"), "elapsed time"),
        (row(7, User=""), "names no user"),
        (row(7) + "|x", "fields"),
        ("", "fields"),
        (row("7.batch"), "step"),
        (row(7, AllocTRES="cpu=99999999999999999999"), "."),
    ],
)
def test_a_correction_that_is_no_record_says_why_and_changes_nothing(
    broken: QuarantinedRow, text: str, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        release_row(actor=FIN, row=broken, text=text, note="")
    broken.refresh_from_db()
    assert broken.status == ReviewStatus.OPEN
    assert Job.objects.count() == 2
    assert not ImportRun.objects.filter(source="quarantine").exists()
    assert not AuditLog.objects.filter(action="usage_row_release").exists()


def test_a_row_that_was_refused_for_its_neighbour_is_released_as_it_is() -> None:
    beside = quarantined(row(2), source="csv", columns=HEADER.split("|"))
    release_row(actor=FIN, row=beside, text=beside.raw, note="")
    beside.refresh_from_db()
    assert (beside.status, beside.corrected, beside.username) == ("accepted", "", "alice")
    assert Job.objects.get().job_id == 2


def test_a_row_that_turns_out_to_be_known_is_a_duplicate(broken: QuarantinedRow) -> None:
    key = release_row(actor=FIN, row=broken, text=corrected(6), note="typed twice")
    assert Job.objects.filter(job_key=key).count() == 1
    assert ImportRun.objects.get(source="quarantine").duplicate == 1


def test_a_row_that_differs_from_a_billed_job_becomes_an_adjustment(broken: QuarantinedRow) -> None:
    Job.objects.filter(job_id=6).update(claimed_by="receipt:1")
    release_row(actor=FIN, row=broken, text=corrected(6, ElapsedRaw=50), note="")
    adjustment = Adjustment.objects.get()
    assert (adjustment.document, adjustment.after["elapsed_seconds"]) == ("receipt:1", 50)
    assert Job.objects.get(job_id=6).elapsed_seconds == 100
    run = ImportRun.objects.get(source="quarantine")
    assert (run.quarantined, run.by_reason, run.status) == (1, {"changed_after_billing": 1}, ImportStatus.PARTIAL)


def test_dismissing_needs_a_note_and_is_audited(broken: QuarantinedRow) -> None:
    with pytest.raises(BadInput):
        dismiss_row(actor=FIN, row=broken, note="  ")
    dismiss_row(actor=FIN, row=broken, note="a test of the scheduler")
    broken.refresh_from_db()
    assert (broken.status, broken.note, broken.decided_by) == ("dismissed", "a test of the scheduler", "fin")
    assert AuditLog.objects.get(action="usage_row_dismiss").extra["note"] == "a test of the scheduler"
    assert Job.objects.count() == 2


def test_a_second_decision_is_refused_whatever_the_first_was(broken: QuarantinedRow) -> None:
    release_row(actor=FIN, row=broken, text=corrected(), note="")
    for again in (
        lambda: release_row(actor=SYSTEM, row=broken, text=corrected(), note=""),
        lambda: dismiss_row(actor=SYSTEM, row=broken, note="no"),
    ):
        with pytest.raises(AlreadyDecided, match="fin"):
            again()
    assert Job.objects.count() == 3
    assert AuditLog.objects.filter(action__startswith="usage_row").count() == 1


@pytest.mark.parametrize("how", ["release", "dismiss"])
def test_a_decided_row_that_comes_again_is_known(broken: QuarantinedRow, tmp_path: Path, how: str) -> None:
    if how == "release":
        release_row(actor=FIN, row=broken, text=corrected(), note="")
    else:
        dismiss_row(actor=FIN, row=broken, note="no job")
    result = run_import(write(tmp_path / "b.psv", row(6), row(7, ElapsedRaw="much"), row(8)))
    assert (result.quarantined, result.duplicate) == (0, 3)
    assert QuarantinedRow.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_once_one_wins_and_the_other_is_told(tmp_path: Path) -> None:
    bring(tmp_path / "a.psv", row(6), row(7, ElapsedRaw="much"))

    def work(index: int) -> str:
        mine = QuarantinedRow.objects.get()
        try:
            if index % 2:
                dismiss_row(actor=Actor("one"), row=mine, note="no")
            else:
                release_row(actor=Actor("other"), row=mine, text=corrected(), note="")
        except AlreadyDecided:
            return "told"
        return "won"

    assert sorted(at_once(4, work)) == ["told", "told", "told", "won"]
    decided = QuarantinedRow.objects.get()
    assert Job.objects.filter(job_id=7).exists() == (decided.status == ReviewStatus.ACCEPTED)
    assert AuditLog.objects.filter(action__startswith="usage_row").count() == 1


@pytest.mark.parametrize(("given", "utc"), [("", "11:01:40"), ("Europe/Berlin", "18:01:40")])
def test_local_times_are_read_in_the_zone_of_the_import_else_of_the_cluster(
    tmp_path: Path, given: str, utc: str
) -> None:
    run_import(write(tmp_path / "a.psv", row(6), row(7, ElapsedRaw="much")), timezone=given)
    Cluster.objects.filter(name="c1").update(timezone="Asia/Tokyo")
    text = corrected(7, Start="2026-09-21T20:00:00", End="2026-09-21T20:01:40", Submit="2026-09-21T19:50:00")
    key = release_row(actor=FIN, row=QuarantinedRow.objects.get(), text=text, note="")
    end = Job.objects.get(job_key=key).end_at
    assert end is not None
    assert end.isoformat() == f"2026-09-21T{utc}+00:00"


JOB = {
    "job_id": 9, "cluster": "c1", "state": {"current": ["COMPLETED"]}, "account": "physics",
    "association": {"user": "alice", "account": "physics", "cluster": "c1"},
    "time": {"elapsed": 100, "start": 1790000000, "end": 1790000100, "submission": 1789999000},
    "tres": {"allocated": [{"type": "cpu", "count": 2}]},
}  # fmt: skip


def quarantined(raw: str, *, source: str = "slurmrestd", columns: list[str] | None = None) -> QuarantinedRow:
    run = ImportRun.objects.create(
        source=source, cluster="c1", actor="system", status=ImportStatus.PARTIAL, columns=columns or [],
        rows_read=1, quarantined=1,
    )  # fmt: skip
    return QuarantinedRow.objects.create(run=run, source=source, reason="bad_record", raw=raw, raw_sha256="0" * 64)


def test_a_job_in_json_is_corrected_as_json() -> None:
    mine = quarantined(json.dumps({**JOB, "time": {}}))
    for text, words in (("{", "not JSON"), ("[]", "Not released"), (json.dumps({**JOB, "time": {}}), "missing")):
        with pytest.raises(BadInput, match=words):
            release_row(actor=FIN, row=mine, text=text, note="")
    key = release_row(actor=FIN, row=mine, text=json.dumps(JOB), note="")
    job = Job.objects.get(job_key=key)
    assert (job.job_id, job.cpus, job.source) == (9, 2, "slurmrestd")


def test_a_row_of_a_run_that_kept_no_columns_is_released_under_its_header() -> None:
    mine = quarantined(row(7, ElapsedRaw="much"), source="csv")
    with pytest.raises(BadInput, match="header"):
        release_row(actor=FIN, row=mine, text=corrected(), note="")
    key = release_row(actor=FIN, row=mine, text=f"{HEADER}\n{corrected()}", note="")
    assert Job.objects.get(job_key=key).import_run.columns == HEADER.split("|")


def test_quoted_csv_is_read_as_the_import_read_it(tmp_path: Path) -> None:
    good, bad, mended = (join_cells(line.split("|"), ",") for line in (row(6), row(7, ElapsedRaw="much"), corrected()))
    bring(tmp_path / "a.csv", good, bad, header=HEADER.replace("|", ","))
    key = release_row(actor=FIN, row=QuarantinedRow.objects.get(), text=mended, note="")
    assert Job.objects.get(job_key=key).cpus == 2
