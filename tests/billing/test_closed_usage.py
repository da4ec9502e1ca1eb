"""The usage of a closed month changes by dated corrections only, whatever its source says later."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.models import AuditLog
from billing.models import ClosedMonth, MonthAdjustment
from billing.selectors.jobs.proof import prove
from billing.services.months import accept_change, bill_late_usage, close_month, void_by_adjustment
from billing.services.receipts import create_receipts, void_receipt
from core.context import Actor
from core.errors import BadInput, Busy
from hpcbilling.books import INVARIANTS
from tests.factories import account_tier
from tests.races import at_once
from tests.usage.helpers import row, run_import, write
from usage.models import Adjustment, Job, QuarantinedRow
from usage.services.adjustments import Frozen, accept_adjustment, dismiss_adjustment
from usage.services.quarantine import release_row

OCTOBER = date(2026, 10, 1)
FIN = Actor("fin")
HOUR, HUNDRED = 3600, 360_000
END = int(datetime(2026, 10, 15, 5, tzinfo=UTC).timestamp())
NOVEMBER = int(datetime(2026, 11, 3, 5, tzinfo=UTC).timestamp())
WAITS = "changed_after_billing"
LIST = "/admin/usage/adjustment/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_december(alice: Any) -> Any:
    account_tier("physics", "mu")
    with time_machine.travel(datetime(2026, 12, 3, 5, tzinfo=UTC), tick=True):
        yield


def job(number: int, end: int | str = END, elapsed: int = HOUR, **cells: Any) -> str:
    start = (END if end in ("Unknown", "") else int(end)) - elapsed
    times = {"Submit": 1789999000 + number, "Start": start, "End": end, "ElapsedRaw": elapsed}
    return row(number, **{**times, "AllocTRES": "cpu=4,mem=8G,node=1", **cells})


FIRST = (job(1), job(2), job(3, User="stranger"), job(4, State="NODE_FAIL"))
AGAIN = (
    job(1, elapsed=HUNDRED),
    job(2, end=NOVEMBER),
    job(3, elapsed=HUNDRED, User="stranger"),
    job(4, State="COMPLETED"),
)


def bring(folder: Path, *lines: str) -> Any:
    return run_import(write(folder / "a.psv", *lines))


def close(month: date = OCTOBER) -> ClosedMonth:
    return close_month(actor=FIN, month=month, accept_open=True, note="test")


def stored() -> list[tuple[Any, ...]]:
    names = ("job_id", "state", "elapsed_seconds", "end_at", "cpu_core_seconds", "import_run_id", "updated_at")
    return list(Job.objects.order_by("job_id").values_list(*names))


def books() -> list[str]:
    return INVARIANTS["closed_months"]()


@pytest.fixture
def closed(tmp_path: Path) -> ClosedMonth:
    """October with four jobs that nothing bills: two of alice, a stranger's, and one that is free."""
    bring(tmp_path, *FIRST)
    return close()


# --- nothing changes in place ------------------------------------------------
def test_an_import_changes_nothing_of_a_closed_month_and_leaves_it_to_finance(
    closed: ClosedMonth, tmp_path: Path
) -> None:
    before, usage = stored(), prove(OCTOBER).usage
    result = bring(tmp_path, *AGAIN)
    assert (result.updated, result.by_reason) == (0, {WAITS: 4})
    assert (stored(), prove(OCTOBER).usage) == (before, usage)
    assert set(Adjustment.objects.values_list("document", "status")) == {("", "open")}
    assert bring(tmp_path, *AGAIN).by_reason == {WAITS: 4}
    assert Adjustment.objects.count() == 4
    assert books() == []


def test_without_a_closed_month_the_same_import_writes_everything(tmp_path: Path) -> None:
    bring(tmp_path, *FIRST)
    assert bring(tmp_path, *AGAIN).updated == 4
    assert not Adjustment.objects.exists()


def test_jobs_of_open_months_are_written_as_ever(tmp_path: Path) -> None:
    bring(tmp_path, job(1), job(2, end=NOVEMBER))
    close()
    assert bring(tmp_path, job(1), job(2, end=NOVEMBER, elapsed=60)).updated == 1
    assert not Adjustment.objects.exists()


def test_nothing_moves_into_a_closed_month(tmp_path: Path) -> None:
    bring(tmp_path, job(1, end=NOVEMBER))
    close()
    assert bring(tmp_path, job(1)).by_reason == {WAITS: 1}
    assert prove(OCTOBER).usage.jobs == 0


def test_a_job_that_ran_when_the_month_was_closed_waits_when_it_turns_out_to_have_ended_in_it(tmp_path: Path) -> None:
    bring(tmp_path, job(1, end="Unknown", State="RUNNING"))
    close()
    assert bring(tmp_path, job(1)).by_reason == {WAITS: 1}
    assert Job.objects.get().end_at is None
    accept_change(actor=FIN, adjustment=Adjustment.objects.get(), note="the import was behind")
    correction = MonthAdjustment.objects.get()
    assert (correction.usage["jobs"], correction.usage["cpu_core_seconds"]) == (1, 4 * HOUR)
    assert books() == []


def test_a_new_job_that_arrives_late_is_stored_and_billed_by_an_adjustment(closed: ClosedMonth, tmp_path: Path) -> None:
    assert bring(tmp_path, job(5)).imported == 1
    run = bill_late_usage(actor=FIN, month=OCTOBER, reason="late")
    assert run.receipts[0].items.count() == 3  # alice's two, left open at the close, and the new one
    assert books() == []


def test_a_row_that_is_released_changes_nothing_of_a_closed_month(closed: ClosedMonth, tmp_path: Path) -> None:
    bring(tmp_path, job(1, elapsed=HUNDRED, AllocTRES="cpu=?"))
    text = job(1, elapsed=HUNDRED)
    release_row(actor=FIN, row=QuarantinedRow.objects.get(), text=text, note="read by hand")
    assert Job.objects.get(job_id=1).elapsed_seconds == HOUR
    assert Adjustment.objects.get().after["elapsed_seconds"] == HUNDRED


def test_records_without_a_submit_time_are_held_to_it_too(tmp_path: Path) -> None:
    bring(tmp_path, job(1, Submit="Unknown"))
    close()
    bring(tmp_path, job(1, Submit="Unknown", State="FAILED"))
    assert Job.objects.get().state == "COMPLETED"
    assert Adjustment.objects.get().after == {"state": "FAILED"}


def test_after_a_void_by_adjustment_the_job_still_stands(tmp_path: Path) -> None:
    bring(tmp_path, job(1))
    (receipt,) = create_receipts(actor=FIN, username="alice")
    close()
    void_by_adjustment(actor=FIN, receipt=receipt, reason="wrong")
    assert bring(tmp_path, job(1, elapsed=HUNDRED)).by_reason == {WAITS: 1}
    assert Job.objects.get().elapsed_seconds == HOUR


def test_cpu_time_that_becomes_known_waits_where_no_document_bills_the_job(tmp_path: Path) -> None:
    bring(tmp_path, job(1, TotalCPU=""))
    close()
    assert bring(tmp_path, job(1)).by_reason == {WAITS: 1}
    change = Adjustment.objects.get()
    assert (change.before, change.after) == ({"used_cpu_seconds": None}, {"used_cpu_seconds": 90})
    accept_change(actor=FIN, adjustment=change, note="now known")
    assert Job.objects.get().used_cpu_seconds == 90
    assert bring(tmp_path, job(1)).duplicate == 1
    assert bring(tmp_path, job(1, TotalCPU="")).duplicate == 1


def test_closed_months_cost_an_import_no_statement_more(tmp_path: Path) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            bring(tmp_path, *FIRST)
        return len(seen)

    bring(tmp_path, *FIRST)
    before = queries()
    for month in (date(2026, 6, 1), date(2026, 8, 1), OCTOBER):
        close(month)
    assert queries() == before


@pytest.mark.django_db(transaction=True)
def test_a_month_that_closes_during_imports_has_the_figures_of_what_is_stored(tmp_path: Path) -> None:
    bring(tmp_path, *FIRST)

    def work(number: int) -> Any:
        if number == 1:
            return close().month
        try:
            return run_import(write(tmp_path / f"{number}.psv", *AGAIN)).updated
        except Busy:
            return "told to wait"

    at_once(3, work)
    assert books() == []


# --- finance decides -----------------------------------------------------------
def decide_all(note: str = "as the cluster says") -> None:
    for change in Adjustment.objects.order_by("job__job_id"):
        accept_change(actor=FIN, adjustment=change, note=note)


def test_accepting_writes_the_record_with_a_dated_correction(closed: ClosedMonth, tmp_path: Path) -> None:
    bring(tmp_path, *AGAIN)
    decide_all()
    assert [each[1:3] for each in stored()] == [
        ("COMPLETED", HUNDRED), ("COMPLETED", HOUR), ("COMPLETED", HUNDRED), ("COMPLETED", HOUR),
    ]  # fmt: skip
    rows = MonthAdjustment.objects.order_by("id").values_list("kind", "dated", "amount", "receipt", "reason")
    assert set(rows) == {("correction", date(2026, 12, 3), 0, None, "as the cluster says")}
    more = 4 * (HUNDRED - HOUR)
    usage = [(each.usage["jobs"], each.usage["cpu_core_seconds"]) for each in MonthAdjustment.objects.order_by("id")]
    assert usage == [(0, more), (-1, -4 * HOUR), (0, more), (0, 0)]
    assert AuditLog.objects.filter(action="month_adjust", extra__kind="correction").count() == 4
    assert books() == []
    assert bring(tmp_path, *AGAIN).duplicate == 4


def test_a_move_between_two_closed_months_corrects_both(tmp_path: Path) -> None:
    bring(tmp_path, job(1), job(2, end=NOVEMBER))
    close()
    close(date(2026, 11, 1))
    bring(tmp_path, job(1, end=NOVEMBER))
    accept_change(actor=FIN, adjustment=Adjustment.objects.get(), note="ended later")
    corrections = MonthAdjustment.objects.order_by("closed_month__month")
    assert [(str(each.closed_month), each.usage["jobs"]) for each in corrections] == [
        ("October 2026", -1),
        ("November 2026", 1),
    ]
    assert books() == []


def test_what_was_corrected_is_billed_as_late_usage(closed: ClosedMonth, tmp_path: Path) -> None:
    bring(tmp_path, *AGAIN)
    decide_all()
    (receipt,) = bill_late_usage(actor=FIN, month=OCTOBER, reason="corrected").receipts
    assert sorted(receipt.items.values_list("job_id_display", flat=True)) == ["1", "4"]
    assert MonthAdjustment.objects.get(kind="late_usage").amount == receipt.subtotal
    assert books() == []


def test_only_with_a_correction_is_it_accepted_and_only_with_a_reason(closed: ClosedMonth, tmp_path: Path) -> None:
    bring(tmp_path, AGAIN[0])
    change, before = Adjustment.objects.get(), stored()
    with pytest.raises(Frozen, match="closed"):
        accept_adjustment(actor=FIN, adjustment=change, note="round it")
    with pytest.raises(BadInput, match="reason"):
        accept_change(actor=FIN, adjustment=change, note=" ")
    assert (stored(), Adjustment.objects.get().status) == (before, "open")
    assert not MonthAdjustment.objects.exists()


def test_what_was_dismissed_is_a_duplicate_from_then_on(closed: ClosedMonth, tmp_path: Path) -> None:
    bring(tmp_path, AGAIN[0])
    dismiss_adjustment(actor=FIN, adjustment=Adjustment.objects.get(), note="stands as reported")
    result = bring(tmp_path, AGAIN[0])
    assert (result.duplicate, result.quarantined) == (1, 0)
    assert Job.objects.get(job_id=1).elapsed_seconds == HOUR


def test_outside_closed_months_accepting_corrects_nothing(tmp_path: Path) -> None:
    bring(tmp_path, job(1))
    (receipt,) = create_receipts(actor=FIN, username="alice")
    bring(tmp_path, job(1, elapsed=HUNDRED))
    void_receipt(actor=FIN, receipt=receipt, reason="changed")
    accept_change(actor=FIN, adjustment=Adjustment.objects.get())
    assert Job.objects.get().elapsed_seconds == HUNDRED
    assert not MonthAdjustment.objects.exists()


def test_the_database_refuses_a_correction_that_bills_or_is_of_nothing(closed: ClosedMonth, tmp_path: Path) -> None:
    bring(tmp_path, AGAIN[0])
    accept_change(actor=FIN, adjustment=Adjustment.objects.get(), note="x")
    rows = MonthAdjustment.objects.all()
    for wrong in ({"amount": 1}, {"change": None}, {"kind": "void"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**wrong)


# --- the console -----------------------------------------------------------------
def test_finance_accepts_in_the_console_and_the_month_shows_it(
    closed: ClosedMonth, tmp_path: Path, client: Any, finance: Any
) -> None:
    bring(tmp_path, AGAIN[0], job(5))
    change = Adjustment.objects.get()
    client.force_login(finance)
    page = client.get(f"{LIST}{change.pk}/change/").content.decode()
    for words in ("none: its month is closed", "as stored", "dated correction of that month"):
        assert words in page, words
    answer = {"action": "accept_action", "_selected_action": [change.pk], "confirm": "1", "text": "clock was wrong"}
    assert "1 change accepted" in client.post(LIST, answer, follow=True).content.decode()
    month = client.get("/admin/billing/closedmonth/2026-10/").content.decode()
    assert "usage corrected" in month
    assert f"{LIST}{change.pk}/change/" in month
    assert "Since then 1 job has arrived late (4.0000" in month
    assert "usage corrected" in client.get("/admin/billing/closedmonth/").content.decode()
    assert "clock was wrong" in client.get("/admin/billing/monthadjustment/").content.decode()


def test_who_may_not_adjust_closed_months_may_not_accept_it(
    closed: ClosedMonth, tmp_path: Path, client: Any, finance: Any
) -> None:
    bring(tmp_path, AGAIN[0])
    for group in finance.groups.all():
        group.permissions.remove(Permission.objects.get(codename="adjust_closedmonth"))
    client.force_login(finance)
    chosen = {"action": "accept_action", "_selected_action": [Adjustment.objects.get().pk]}
    assert client.post(LIST, {**chosen, "confirm": "1", "text": "x"}).status_code == 403
    assert Adjustment.objects.get().status == "open"


# --- the books -------------------------------------------------------------------
def test_the_books_name_jobs_that_an_import_changed_past_the_close(
    closed: ClosedMonth, tmp_path: Path, settings: Any
) -> None:
    settings.USAGE_FROZEN = {}
    assert bring(tmp_path, *AGAIN).updated == 4
    wrong = "\n".join(books())
    for number in (1, 3, 4):  # the second is in November now: the sums tell
        assert f"job c1:{number}:{1789999000 + number} of 2026-10 was changed after the close" in wrong
    assert "2026-10 was closed, and corrected, with jobs 4; the same jobs have 3 now" in wrong


def test_the_books_see_a_job_of_a_closed_month_that_was_changed_by_hand(closed: ClosedMonth) -> None:
    Job.objects.filter(job_id=1).update(gpu_seconds=7)
    assert books() == ["2026-10 was closed, and corrected, with gpu_seconds 0; the same jobs have 7 now"]
