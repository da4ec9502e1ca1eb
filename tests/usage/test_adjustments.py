"""A record that changed after it was billed waits for a decision; the job is never silently edited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.models import AuditLog
from billing.models import Receipt
from billing.services.receipts import create_receipts, void_receipt
from core.context import Actor
from core.errors import BadInput
from hpcbilling import books
from tests.races import at_once
from tests.usage.helpers import row, run_import, write
from usage.models import Adjustment, Hold, Job, ReviewStatus
from usage.services.adjustments import Outdated, StillBilled, accept_adjustment, dismiss_adjustment
from usage.services.reviews import AlreadyDecided

pytestmark = pytest.mark.django_db
FIN = Actor("fin")
WAITS = {"changed_after_billing": 1}


def bring(folder: Path, *lines: str) -> Any:
    return run_import(write(folder / "a.psv", *lines))


@pytest.fixture
def receipt(tmp_path: Path, alice: Any) -> Receipt:
    """A receipt for 100 seconds of job 1; its record now says 50."""
    bring(tmp_path, row(1))
    (made,) = create_receipts(actor=FIN, username="alice", start=None, end=None)
    bring(tmp_path, row(1, ElapsedRaw=50))
    return made


@pytest.fixture
def change(receipt: Receipt) -> Adjustment:
    return Adjustment.objects.get()


def test_the_change_is_noted_and_the_job_untouched(receipt: Receipt, change: Adjustment) -> None:
    assert change.document == receipt.claim
    assert (change.before["elapsed_seconds"], change.after["elapsed_seconds"]) == (100, 50)
    assert Job.objects.get().elapsed_seconds == 100


def test_the_same_change_is_noted_once(receipt: Receipt, tmp_path: Path) -> None:
    result = bring(tmp_path, row(1, ElapsedRaw=50))
    assert (result.duplicate, result.by_reason) == (0, WAITS), "nobody has decided: it still counts"
    assert Adjustment.objects.count() == 1


def test_accepting_while_billed_is_refused_and_says_what_to_do(change: Adjustment) -> None:
    with pytest.raises(StillBilled, match="Void that receipt first"):
        accept_adjustment(actor=FIN, adjustment=change, note="ok")
    change.refresh_from_db()
    assert change.status == ReviewStatus.OPEN
    assert Job.objects.get().elapsed_seconds == 100
    assert not AuditLog.objects.filter(action="usage_change_accept").exists()


def test_after_a_void_accepting_writes_the_new_record(receipt: Receipt, change: Adjustment) -> None:
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    accept_adjustment(actor=FIN, adjustment=change, note="as the cluster says")
    job = Job.objects.get()
    change.refresh_from_db()
    assert (job.elapsed_seconds, job.cpu_core_seconds, job.import_run) == (50, 100, change.run)
    assert (change.status, change.note, change.decided_by) == ("accepted", "as the cluster says", "fin")
    entry = AuditLog.objects.get(action="usage_change_accept")
    assert entry.changes["elapsed_seconds"] == [100, 50]
    (again,) = create_receipts(actor=FIN, username="alice", start=None, end=None)
    assert again.items.get().cpu_core_hours < receipt.items.get().cpu_core_hours


def test_an_accepted_record_that_is_implausibly_long_is_held(receipt: Receipt, tmp_path: Path) -> None:
    with time_machine.travel(1_790_000_000 + 101 * 86_400):
        bring(tmp_path, row(1, ElapsedRaw=100 * 86_400, End=1_790_000_000 + 100 * 86_400))
    newest = Adjustment.objects.get(after__elapsed_seconds=100 * 86_400)
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    accept_adjustment(actor=FIN, adjustment=newest)
    assert Job.objects.get().hold == Hold.RUNAWAY


def test_dismissing_needs_a_note_and_leaves_the_job(change: Adjustment) -> None:
    with pytest.raises(BadInput):
        dismiss_adjustment(actor=FIN, adjustment=change, note="")
    dismiss_adjustment(actor=FIN, adjustment=change, note="credited by hand")
    change.refresh_from_db()
    assert (change.status, change.note, change.decided_by) == ("dismissed", "credited by hand", "fin")
    assert Job.objects.get().elapsed_seconds == 100
    assert AuditLog.objects.get(action="usage_change_dismiss").extra["note"] == "credited by hand"


def test_a_decision_stands(receipt: Receipt, change: Adjustment) -> None:
    dismiss_adjustment(actor=FIN, adjustment=change, note="no")
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    with pytest.raises(AlreadyDecided, match="fin"):
        accept_adjustment(actor=Actor("late"), adjustment=change)
    with pytest.raises(AlreadyDecided, match="fin"):
        dismiss_adjustment(actor=Actor("late"), adjustment=change, note="no")
    assert Job.objects.get().elapsed_seconds == 100


def test_an_older_change_is_not_written_over_a_newer_one(receipt: Receipt, change: Adjustment, tmp_path: Path) -> None:
    bring(tmp_path, row(1, ElapsedRaw=60))
    newer = Adjustment.objects.get(status="open")
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    with pytest.raises(AlreadyDecided):
        accept_adjustment(actor=FIN, adjustment=change)
    accept_adjustment(actor=FIN, adjustment=newer)
    with pytest.raises(AlreadyDecided):
        accept_adjustment(actor=FIN, adjustment=change)
    assert Job.objects.get().elapsed_seconds == 60


def test_a_change_of_a_job_that_was_written_otherwise_is_not_accepted(receipt: Receipt, change: Adjustment) -> None:
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    Job.objects.update(elapsed_seconds=70)
    with pytest.raises(Outdated, match="has changed since"):
        accept_adjustment(actor=FIN, adjustment=change)
    assert (Adjustment.objects.get().status, Job.objects.get().elapsed_seconds) == ("open", 70)


# --- one open adjustment of a job, that of the record which the source showed last ------
def states() -> list[tuple[Any, str, bool]]:
    """Oldest first: seconds noted, status, closed by a run."""
    rows = Adjustment.objects.order_by("id")
    return [(each.record["elapsed_seconds"], each.status, each.closed_by_run_id is not None) for each in rows]


def test_a_newer_record_takes_the_place_of_the_one_that_waits(
    receipt: Receipt, change: Adjustment, tmp_path: Path
) -> None:
    result = bring(tmp_path, row(1, ElapsedRaw=60))
    assert result.by_reason == WAITS
    assert states() == [(50, "dismissed", True), (60, "open", False)]
    change.refresh_from_db()
    assert (change.decided_by, change.closed_by_run_id) == ("system", result.run_id)
    assert change.note == "A newer record of the job took its place."
    entry = AuditLog.objects.get(action="usage_change_dismiss")
    assert (entry.entity_id, entry.extra["run"]) == (str(change.pk), result.run_id)


def test_the_first_change_again_after_a_second_is_the_open_one(receipt: Receipt, tmp_path: Path) -> None:
    for seconds in (60, 50, 50):
        assert bring(tmp_path, row(1, ElapsedRaw=seconds)).by_reason == WAITS
    assert states() == [(50, "dismissed", True), (60, "dismissed", True), (50, "open", False)]


def test_what_the_source_takes_back_cannot_be_accepted(receipt: Receipt, tmp_path: Path) -> None:
    bring(tmp_path, row(1, ElapsedRaw=60))
    stale = Adjustment.objects.get(status="open")
    result = bring(tmp_path, row(1))
    assert (result.duplicate, result.quarantined) == (1, 0)
    assert states() == [(50, "dismissed", True), (60, "dismissed", True)]
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    with pytest.raises(AlreadyDecided):
        accept_adjustment(actor=FIN, adjustment=stale)
    assert Job.objects.get().elapsed_seconds == 100
    stale.refresh_from_db()
    assert stale.note == "The source agrees again with what is stored."
    assert AuditLog.objects.filter(action="usage_change_dismiss", extra__run=result.run_id).count() == 1


def test_a_change_that_comes_back_after_it_was_taken_back_waits_anew(receipt: Receipt, tmp_path: Path) -> None:
    bring(tmp_path, row(1))
    assert bring(tmp_path, row(1, ElapsedRaw=50)).by_reason == WAITS
    assert states() == [(50, "dismissed", True), (50, "open", False)]


def test_what_a_person_dismissed_is_a_duplicate(receipt: Receipt, change: Adjustment, tmp_path: Path) -> None:
    dismiss_adjustment(actor=FIN, adjustment=change, note="credited by hand")
    for _again in range(2):
        result = bring(tmp_path, row(1, ElapsedRaw=50))
        assert (result.duplicate, result.quarantined) == (1, 0)
    assert states() == [(50, "dismissed", False)]
    assert bring(tmp_path, row(1, ElapsedRaw=60)).by_reason == WAITS


def test_a_dismissal_is_about_one_bill_and_not_about_the_next(
    receipt: Receipt, change: Adjustment, tmp_path: Path
) -> None:
    dismiss_adjustment(actor=FIN, adjustment=change, note="credited by hand")
    void_receipt(actor=FIN, receipt=receipt, reason="wrong account")
    create_receipts(actor=FIN, username="alice", start=None, end=None)
    assert bring(tmp_path, row(1, ElapsedRaw=50)).by_reason == WAITS
    assert Adjustment.objects.filter(status=ReviewStatus.OPEN).count() == 1


def test_what_was_written_once_and_differs_from_a_later_bill_waits_again(
    receipt: Receipt, change: Adjustment, tmp_path: Path
) -> None:
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    accept_adjustment(actor=FIN, adjustment=change)
    bring(tmp_path, row(1))
    create_receipts(actor=FIN, username="alice", start=None, end=None)
    assert bring(tmp_path, row(1, ElapsedRaw=50)).by_reason == WAITS
    assert states() == [(50, "accepted", False), (50, "open", False)]


@pytest.mark.parametrize(
    ("seconds", "updated", "status"), [(50, 1, "accepted"), (60, 1, "dismissed"), (100, 0, "dismissed")]
)
def test_an_import_of_the_free_job_leaves_nothing_open(
    receipt: Receipt, tmp_path: Path, seconds: int, updated: int, status: str
) -> None:
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    assert bring(tmp_path, row(1, ElapsedRaw=seconds)).updated == updated
    assert states() == [(50, status, True)]
    assert Job.objects.get().elapsed_seconds == seconds


def test_the_same_change_under_another_receipt_with_more_known_is_that_of_the_last_reading(
    receipt: Receipt, tmp_path: Path
) -> None:
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    (second,) = create_receipts(actor=FIN, username="alice", start=None, end=None)
    assert bring(tmp_path, row(1, ElapsedRaw=50, TotalCPU="00:00:40")).by_reason == WAITS
    only = Adjustment.objects.get()
    assert (only.document, only.record["used_cpu_seconds"]) == (second.claim, 40)


@pytest.mark.parametrize("lines", [[row(1, ElapsedRaw=50)], [row(1, ElapsedRaw=60)], [row(1)]])
def test_a_dry_run_counts_the_same_and_decides_nothing(receipt: Receipt, tmp_path: Path, lines: list[str]) -> None:
    dry = run_import(write(tmp_path / "b.psv", *lines), dry_run=True)
    assert states() == [(50, "open", False)]
    wet = bring(tmp_path, *lines)
    assert (dry.duplicate, dry.quarantined, dry.by_reason) == (wet.duplicate, wet.quarantined, wet.by_reason)


def test_the_database_refuses_a_second_open_one(change: Adjustment) -> None:
    change.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        change.save()


def test_looking_for_what_is_taken_back_costs_the_same_however_many_wait(tmp_path: Path, alice: Any) -> None:
    def queries(number: int) -> int:
        rows = [row(each) for each in range(1, number + 1)]
        bring(tmp_path, *rows)
        create_receipts(actor=FIN, username="alice", start=None, end=None)
        bring(tmp_path, *[row(each, ElapsedRaw=50) for each in range(1, number + 1)])
        assert Adjustment.objects.filter(status="open").count() == number
        with CaptureQueriesContext(connection) as seen:
            bring(tmp_path, row(1, ElapsedRaw=50))
        return len(seen)

    assert queries(2) == queries(30)


def test_an_import_that_finds_the_job_free_writes_it_and_closes_the_change(
    receipt: Receipt, change: Adjustment, tmp_path: Path
) -> None:
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    assert bring(tmp_path, row(1, ElapsedRaw=50)).updated == 1
    change.refresh_from_db()
    assert Job.objects.get().elapsed_seconds == 50
    assert (change.status, change.decided_by) == ("accepted", "system")
    assert AuditLog.objects.filter(action="usage_change_accept").count() == 1


def test_a_change_that_was_written_already_is_only_closed(receipt: Receipt, change: Adjustment) -> None:
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    accept_adjustment(actor=FIN, adjustment=change)
    Adjustment.objects.update(status=ReviewStatus.OPEN)
    accept_adjustment(actor=FIN, adjustment=Adjustment.objects.get())
    assert AuditLog.objects.filter(action="usage_change_accept").latest("id").extra["applied_before"] is True


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_once_one_wins_and_the_other_is_told(receipt: Receipt) -> None:
    void_receipt(actor=FIN, receipt=receipt, reason="changed")

    def work(index: int) -> str:
        mine = Adjustment.objects.get()
        try:
            if index % 2:
                dismiss_adjustment(actor=Actor("one"), adjustment=mine, note="no")
            else:
                accept_adjustment(actor=Actor("other"), adjustment=mine)
        except AlreadyDecided:
            return "told"
        return "won"

    assert sorted(at_once(4, work)) == ["told", "told", "told", "won"]
    is_accepted = Adjustment.objects.get().status == ReviewStatus.ACCEPTED
    assert Job.objects.get().elapsed_seconds == (50 if is_accepted else 100)
    assert AuditLog.objects.filter(action__startswith="usage_change").count() == 1


@pytest.mark.django_db(transaction=True)
def test_accepting_while_a_receipt_takes_the_job_never_changes_what_was_billed(receipt: Receipt) -> None:
    void_receipt(actor=FIN, receipt=receipt, reason="changed")

    def work(index: int) -> str:
        if index:
            return f"billed {len(create_receipts(actor=FIN, username='alice', start=None, end=None))}"
        try:
            accept_adjustment(actor=FIN, adjustment=Adjustment.objects.get())
        except StillBilled:
            return "refused"
        return "accepted"

    answers = at_once(2, work)
    job = Job.objects.get()
    assert "billed 1" in answers
    assert job.elapsed_seconds == (50 if "accepted" in answers else 100)
    assert books.INVARIANTS["receipt_prices"]() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seconds", [60, 100])
def test_an_import_that_sees_something_newer_and_a_person_who_decides_do_not_both_win(
    receipt: Receipt, change: Adjustment, tmp_path: Path, seconds: int
) -> None:
    def work(index: int) -> str:
        if index:
            bring(tmp_path, row(1, ElapsedRaw=seconds))
            return "read"
        try:
            dismiss_adjustment(actor=FIN, adjustment=Adjustment.objects.get(pk=change.pk), note="credited by hand")
        except AlreadyDecided:
            return "told"
        return "won"

    answers = at_once(2, work)
    change.refresh_from_db()
    assert change.status == "dismissed"
    assert (change.decided_by, change.closed_by_run_id is None) == (
        ("fin", True) if "won" in answers else ("system", False)
    )
    assert AuditLog.objects.filter(action="usage_change_dismiss", entity_id=str(change.pk)).count() == 1
    assert [each for each in states() if each[1] == "open"] == ([(60, "open", False)] if seconds == 60 else [])


@pytest.mark.django_db(transaction=True)
def test_an_import_and_an_acceptance_at_once_end_at_what_the_source_says(
    receipt: Receipt, change: Adjustment, tmp_path: Path
) -> None:
    void_receipt(actor=FIN, receipt=receipt, reason="changed")

    def work(index: int) -> str:
        if index:
            bring(tmp_path, row(1, ElapsedRaw=60))
            return "read"
        try:
            accept_adjustment(actor=FIN, adjustment=Adjustment.objects.get(pk=change.pk))
        except AlreadyDecided:
            return "told"
        return "won"

    answers = at_once(2, work)
    assert states() == [(50, "accepted", False) if "won" in answers else (50, "dismissed", True)]
    assert Job.objects.get().elapsed_seconds == 60
