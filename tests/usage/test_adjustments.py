"""A record that changed after it was billed waits for a decision; the job is never silently edited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
    assert (result.duplicate, result.quarantined) == (1, 0)
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
    bring(tmp_path, row(1, ElapsedRaw=100 * 86_400))
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
    newer = Adjustment.objects.exclude(pk=change.pk).get()
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    with pytest.raises(Outdated, match=str(newer.pk)):
        accept_adjustment(actor=FIN, adjustment=change)
    accept_adjustment(actor=FIN, adjustment=newer)
    with pytest.raises(Outdated, match="has changed since"):
        accept_adjustment(actor=FIN, adjustment=change)
    dismiss_adjustment(actor=FIN, adjustment=change, note="replaced")
    assert Job.objects.get().elapsed_seconds == 60


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
