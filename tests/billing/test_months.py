"""A month is proven, closed, and afterwards changed by dated adjustments only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from audit.models import AuditLog
from billing.models import ClosedMonth, MonthAdjustment, Receipt, ReceiptStatus
from billing.selectors.jobs.billable import preview_receipts
from billing.selectors.jobs.proof import PARTS, prove
from billing.selectors.jobs.standing import standing_of
from billing.services.months import NotProven, bill_late_usage, close_month, void_by_adjustment
from billing.services.receipts import MonthClosed, create_receipts, mark_paid, void_receipt
from core.context import Actor
from core.errors import BadInput, Conflict
from core.periods import month_window
from hpcbilling.books import INVARIANTS
from tests.factories import NOON, account_tier, make_job
from tests.races import at_once
from usage.models import ImportRun, Job, QuarantinedRow

OCTOBER = date(2026, 10, 1)
WINDOW = {"start": OCTOBER, "end": date(2026, 10, 31)}
FIN = Actor("fin")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_november(alice: Any) -> Any:
    account_tier("physics", "mu")
    with time_machine.travel(datetime(2026, 12, 3, 5, tzinfo=UTC), tick=True):
        yield


def bill(**more: Any) -> list[Receipt]:
    return create_receipts(actor=Actor("alice"), username="alice", **{**WINDOW, **more})


def books() -> list[str]:
    return [trouble for check in INVARIANTS.values() for trouble in check()]


def signed_in(user: Any) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def refuse(
    raw: str, columns: str = "JobID|User|Account|End|ElapsedRaw|AllocTRES|State", **fields: Any
) -> QuarantinedRow:
    run = ImportRun.objects.create(
        source="csv", cluster="bench", actor="system", columns=columns.split("|"), delimiter="|"
    )
    return QuarantinedRow.objects.create(
        run=run, source="csv", reason="bad_clock", raw=raw, raw_sha256=raw[-60:], **fields
    )  # fmt: skip


# --- the proof ---------------------------------------------------------------
def test_every_record_of_the_month_is_in_one_part_and_the_parts_are_the_usage() -> None:
    make_job(cpus=4)
    bill()
    make_job(cpus=8)
    make_job(state="NODE_FAIL")
    make_job(elapsed_seconds=0)
    make_job(hold="runaway")
    make_job(username="stranger")
    make_job(end_at=NOON - timedelta(days=40))  # another month
    make_job(end_at=None, state="RUNNING")
    refuse("7|alice|physics|2026-10-15T12:00:00|3600|cpu=2,mem=2G|COMPLETED")
    proof = prove(date(2026, 10, 20))
    assert [proof.parts[name].jobs for name in PARTS] == [1, 2, 3, 1]
    assert {reason.code for reason in proof.reasons["unbilled"]} == {"next_receipt", "runaway", "no_user"}
    assert (proof.usage.jobs, proof.open_jobs) == (7, 1)
    assert proof.usage.cpu_core_seconds == 3600 * (4 + 8 + 4 + 0 + 4 + 4 + 2)
    assert proof.parts["billed"].cost == Decimal("8.00")
    assert proof.parts["quarantined"].cost == Decimal("3.00")  # 2 x 1 + 2 x 0.5
    assert proof.holds


def test_what_a_receipt_billed_is_its_lines_whatever_the_rates_are_now() -> None:
    from accounts.models import Tier
    from billing.services.pricing.rates import NewRates, set_rates

    make_job()
    bill()
    before = prove(OCTOBER).parts["billed"]
    set_rates(actor=FIN, tier=Tier.objects.get(pk="mu"), rates=NewRates(Decimal(9), Decimal(9), Decimal(9)))
    assert prove(OCTOBER).parts["billed"] == before


def test_refused_rows_that_do_not_tell_their_hours_are_counted_and_in_no_sum() -> None:
    seen = refuse("no|row|at all")
    QuarantinedRow.objects.filter(pk=seen.pk).update(created_at=datetime(2026, 12, 2, tzinfo=UTC))
    refuse("8|alice|physics|2026-10-15T12:00:00|soon|cpu=2|COMPLETED")
    assert prove(date(2026, 12, 1)).unknown_rows == 1  # of no known month: that in which it was seen
    proof = prove(OCTOBER)
    assert (proof.unknown_rows, proof.parts["quarantined"].jobs) == (1, 0)


def test_refused_rows_of_json_tell_their_hours_too() -> None:
    raw = (
        '{"association": {"user": "alice"}, "account": "physics", "time": {"end": 1792040400, "elapsed": 3600},'
        ' "tres": {"allocated": [{"type": "cpu", "name": "", "count": 2}, {"type": "mem", "name": "", "count": 2048},'
        ' {"type": "gres", "name": "gpu", "count": 1}]}}'
    )
    refuse(raw, columns="")
    QuarantinedRow.objects.update(reason="bad_record")
    ImportRun.objects.update(columns=[])
    amount = prove(OCTOBER).parts["quarantined"]
    assert (amount.jobs, amount.cpu_core_seconds, amount.gpu_seconds, amount.mem_mib_seconds) == (
        1,
        7200,
        3600,
        7372800,
    )


def test_a_line_without_its_job_is_a_proof_that_fails_and_a_month_that_cannot_be_closed() -> None:
    job = make_job()
    bill()
    Job.objects.filter(pk=job.pk).update(claimed_by="")
    assert not prove(OCTOBER).holds
    with pytest.raises(NotProven):
        close_month(actor=FIN, month=OCTOBER)


def test_the_number_of_statements_does_not_depend_on_the_jobs(django_assert_max_num_queries: Any) -> None:
    for number in range(30):
        make_job(username=f"user{number % 7}", account=f"acc{number % 5}")
    with django_assert_max_num_queries(16):
        prove(OCTOBER)


@pytest.mark.parametrize("zone", ["Asia/Bangkok", "America/New_York"])
def test_each_job_is_in_exactly_one_month_also_where_clocks_change(zone: str, settings: Any) -> None:
    """Every half hour around month ends and both changes of the clock in New York."""
    settings.TIME_ZONE = zone
    edges = [datetime(2026, 11, 1, tzinfo=ZoneInfo(zone)), datetime(2026, 3, 8, 2, tzinfo=ZoneInfo(zone)),
             datetime(2026, 3, 1, tzinfo=ZoneInfo(zone)), datetime(2026, 12, 1, tzinfo=ZoneInfo(zone))]  # fmt: skip
    moments = [edge + timedelta(minutes=30 * step, seconds=-1) for edge in edges for step in range(-4, 5)]
    for moment in moments:
        make_job(end_at=moment.astimezone(UTC))
    months = [date(2026, number, 1) for number in range(1, 13)]
    assert sum(prove(month).usage.jobs for month in months) == len(moments)
    for moment in moments:
        assert sum(month_window(month).holds(moment) for month in months) == 1


# --- closing -----------------------------------------------------------------
def test_a_month_that_is_settled_closes_once_with_its_figures_and_an_audit_entry() -> None:
    make_job()
    bill()
    closed = close_month(actor=FIN, month=date(2026, 10, 17))
    assert (closed.month, closed.closed_by, closed.figures["usage"]["jobs"]) == (OCTOBER, "fin", 1)
    assert close_month(actor=Actor("other"), month=OCTOBER) == closed
    assert AuditLog.objects.filter(action="month_close").count() == 1


def test_a_month_that_is_not_over_cannot_be_closed() -> None:
    with pytest.raises(BadInput, match="December 2026"):
        close_month(actor=FIN, month=date(2026, 12, 3))


def test_what_is_left_open_must_be_seen_and_explained() -> None:
    make_job()
    refuse("9|alice|physics|2026-10-15T12:00:00|3600|cpu=2|COMPLETED")
    with pytest.raises(Conflict, match=r"1 job worth THB.8\.00.*1 refused"):
        close_month(actor=FIN, month=OCTOBER)
    with pytest.raises(BadInput, match="why"):
        close_month(actor=FIN, month=OCTOBER, accept_open=True)
    assert close_month(actor=FIN, month=OCTOBER, accept_open=True, note="left to 2027").note == "left to 2027"


@pytest.mark.django_db(transaction=True)
def test_of_many_who_close_at_once_one_does(alice: Any) -> None:
    make_job()
    bill()
    closed = at_once(6, lambda number: close_month(actor=Actor(f"fin{number}"), month=OCTOBER).pk)
    assert len(set(closed)) == 1
    assert AuditLog.objects.filter(action="month_close").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_receipt_made_while_the_month_closes_is_either_before_it_or_not_at_all(alice: Any) -> None:
    make_job()

    def work(number: int) -> Any:
        if number % 2:
            return bill()
        return close_month(actor=FIN, month=OCTOBER, accept_open=True, note="race")

    at_once(6, work)
    assert books() == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_month_waits_for_a_receipt_that_is_being_made(alice: Any) -> None:
    """Its figures would not know of the receipt, and the receipt not of the close."""
    make_job()
    with ThreadPoolExecutor(1) as finance:
        with transaction.atomic():
            bill()
            closing = finance.submit(closed_in_a_thread)
            with pytest.raises(TimeoutError):
                closing.result(timeout=2)
        assert closing.result(timeout=60) == "", "nothing is left open: the receipt counts"
    assert books() == []


def closed_in_a_thread() -> str:
    """Its note; what is left open would be an error."""
    try:
        return close_month(actor=FIN, month=OCTOBER).note
    finally:
        connection.close()


# --- closed ------------------------------------------------------------------
def close() -> ClosedMonth:
    return close_month(actor=FIN, month=OCTOBER, accept_open=True, note="test")


def test_late_usage_of_a_closed_month_stays_off_ordinary_receipts_and_says_why() -> None:
    close()
    job = make_job()
    november = make_job(end_at=NOON + timedelta(days=31))
    assert preview_receipts(username="alice", start=None, end=None).skipped == {"closed_month": 1}
    (receipt,) = bill(start=None, end=None)
    assert list(receipt.items.values_list("job_key", flat=True)) == [november.job_key]
    assert standing_of(job).code == "closed_month"


def test_the_proof_says_that_what_is_left_of_a_closed_month_needs_an_adjustment(finance: Any) -> None:
    make_job()
    make_job(username="stranger")

    def left() -> dict[str, int]:
        return {reason.code: reason.amount.jobs for reason in prove(OCTOBER).reasons["unbilled"]}

    assert left() == {"next_receipt": 1, "no_user": 1}
    closed = close()
    assert set(closed.figures["reasons"]["unbilled"]) == {"next_receipt", "no_user"}
    assert left() == {"closed_month": 1, "no_user": 1}
    page = signed_in(finance).get(reverse("admin:billing_month", args=[2026, 10])).content.decode()
    assert "only by an adjustment" in page
    assert "ready for the next receipts" not in page


def test_late_usage_is_billed_by_an_adjustment_that_is_dated_today() -> None:
    make_job()
    bill()
    closed = close()
    make_job(cpus=8)
    run = bill_late_usage(actor=FIN, month=OCTOBER, reason="slurmdbd was down")
    (receipt,) = run.receipts
    adjustment = MonthAdjustment.objects.get()
    assert (receipt.adjusts_month, receipt.start, receipt.end) == (OCTOBER, OCTOBER, date(2026, 10, 31))
    assert (adjustment.closed_month, adjustment.dated, adjustment.amount) == (
        closed,
        date(2026, 12, 3),
        Decimal("12.00"),
    )
    assert bill_late_usage(actor=FIN, month=OCTOBER, reason="again").receipts == []
    assert books() == []


def test_a_user_without_a_rate_is_parked_and_the_others_late_usage_is_billed(make_user: Any) -> None:
    from accounts.models import Tier

    make_user("zoe")
    Tier.objects.create(code="partner", name="Partner")
    account_tier("partner*", "partner")
    close()
    make_job(account="partner-x")
    make_job(username="zoe")
    run = bill_late_usage(actor=FIN, month=OCTOBER, reason="late")
    assert [receipt.username for receipt in run.receipts] == ["zoe"]
    assert "partner" in run.failed["alice"]


def test_a_receipt_with_jobs_of_a_closed_month_is_voided_by_an_adjustment_only() -> None:
    make_job()
    make_job(end_at=NOON + timedelta(days=31))
    (receipt,) = bill(end=date(2026, 11, 30))
    close()
    with pytest.raises(MonthClosed, match="October 2026"):
        void_receipt(actor=FIN, receipt=receipt, reason="wrong user")
    assert void_by_adjustment(actor=FIN, receipt=receipt, reason="wrong user") is True
    adjustment = MonthAdjustment.objects.get()
    assert (adjustment.jobs, adjustment.amount, adjustment.receipt) == (1, Decimal("-8.00"), receipt)
    assert void_by_adjustment(actor=FIN, receipt=receipt, reason="again") is False
    assert books() == []


def test_a_pending_receipt_of_a_closed_month_can_still_be_paid() -> None:
    make_job()
    (receipt,) = bill()
    close()
    assert mark_paid(actor=FIN, receipt=receipt, method="manual", tx_ref="slip") is True
    assert receipt.status == ReceiptStatus.PAID
    assert books() == []


@pytest.mark.parametrize("act", [
    lambda: bill_late_usage(actor=FIN, month=OCTOBER, reason=" "),
    lambda: bill_late_usage(actor=FIN, month=date(2026, 9, 1), reason="not closed"),
])  # fmt: skip
def test_an_adjustment_needs_a_reason_and_a_closed_month(act: Any) -> None:
    close()
    make_job()
    with pytest.raises(BadInput):
        act()
    assert not Receipt.objects.exists()


# --- the console -------------------------------------------------------------
