"""Implausibly long jobs wait for finance: no document takes them before somebody said that they are real."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.models import AuditLog
from billing.selectors.jobs.billable import preview_receipts
from billing.services.receipts import create_receipts
from core.context import Actor
from core.errors import BadInput
from tests.factories import NOON, make_job
from tests.races import at_once
from tests.usage.helpers import row, run_import, write
from usage.models import Hold, Job
from usage.services.holds import NotHeld, clear_hold

pytestmark = pytest.mark.django_db
FIN = Actor("fin")
LONG = 61 * 86_400


def lasting(seconds: int) -> dict[str, int]:
    return {"Start": 1790000000, "End": 1790000000 + seconds, "ElapsedRaw": seconds}


def test_an_import_holds_what_is_longer_than_the_limit(tmp_path: Path, settings: Any) -> None:
    settings.USAGE_RUNAWAY_DAYS = 2
    at_limit, over = 2 * 86_400, 2 * 86_400 + 1
    run_import(write(tmp_path / "a.psv", row(1, **lasting(at_limit)), row(2, **lasting(over))))
    assert list(Job.objects.order_by("job_id").values_list("hold", flat=True)) == [Hold.NONE, Hold.RUNAWAY]


def test_a_held_job_stays_off_receipts_until_finance_clears_it(alice: Any) -> None:
    job = make_job(hold=Hold.RUNAWAY, elapsed_seconds=LONG)
    window = {"username": "alice", "start": None, "end": None}
    assert preview_receipts(**window).skipped == {"runaway": 1}
    assert create_receipts(actor=FIN, **window) == []
    clear_hold(actor=FIN, job=job, note="the user confirmed it")
    (receipt,) = create_receipts(actor=FIN, **window)
    assert receipt.items.get().job_key == job.job_key


def test_clearing_needs_a_note_and_is_audited_once() -> None:
    job = make_job(hold=Hold.RUNAWAY, elapsed_seconds=LONG)
    with pytest.raises(BadInput):
        clear_hold(actor=FIN, job=job, note=" ")
    assert Job.objects.get().hold == Hold.RUNAWAY
    clear_hold(actor=FIN, job=job, note="real")
    with pytest.raises(NotHeld):
        clear_hold(actor=FIN, job=job, note="again")
    entry = AuditLog.objects.get(action="usage_hold_clear")
    assert (entry.actor, entry.target, entry.extra["note"]) == ("fin", job.job_key, "real")
    assert entry.changes == {"hold": ["runaway", "cleared"]}


def test_a_job_that_was_never_held_cannot_be_cleared() -> None:
    with pytest.raises(NotHeld):
        clear_hold(actor=FIN, job=make_job(), note="why not")


def test_a_job_that_has_not_ended_cannot_be_cleared() -> None:
    job = make_job(hold=Hold.RUNAWAY, state="RUNNING", end_at=None, start_at=NOON)
    with pytest.raises(NotHeld, match="not ended"):
        clear_hold(actor=FIN, job=job, note="it may yet become longer")


def test_a_cleared_job_that_comes_again_stays_cleared(tmp_path: Path) -> None:
    path = write(tmp_path / "a.psv", row(1, **lasting(LONG)))
    run_import(path)
    clear_hold(actor=FIN, job=Job.objects.get(), note="real")
    run_import(path)
    assert Job.objects.get().hold == Hold.CLEARED


@pytest.mark.django_db(transaction=True)
def test_of_many_who_clear_at_once_one_does_it() -> None:
    make_job(hold=Hold.RUNAWAY, elapsed_seconds=LONG, end_at=NOON + timedelta(hours=1))

    def work(index: int) -> str:
        try:
            clear_hold(actor=Actor(f"fin{index}"), job=Job.objects.get(), note="real")
        except NotHeld:
            return "told"
        return "done"

    assert sorted(at_once(4, work)) == ["done", "told", "told", "told"]
    assert AuditLog.objects.filter(action="usage_hold_clear").count() == 1
