"""Months in the console: the proof, the close, and what finance does afterwards."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import translation

from billing.models import ClosedMonth, MonthAdjustment
from billing.selectors.jobs.proof import months_with_usage
from billing.services.months import bill_late_usage, close_month, void_by_adjustment
from core.context import Actor
from tests.billing.test_months import (
    _in_november,  # noqa: F401 - the day of all these tests
    bill,
    close,
    signed_in,
)
from tests.factories import NOON, account_tier, make_job, make_run

pytestmark = pytest.mark.django_db


def test_finance_proves_closes_and_adjusts_from_the_console(finance: Any) -> None:
    make_job()
    bill()
    browser, page = signed_in(finance), reverse("admin:billing_month", args=[2026, 10])
    assert "October 2026" in browser.get(reverse("admin:billing_closedmonth_changelist")).content.decode()
    assert "proven" in browser.get(page).content.decode()
    asked = browser.post(page, {"close": "1", "note": "all in"}).content.decode()
    assert "Close October 2026" in asked
    assert "1 receipt with jobs of this month can no longer be voided" in asked
    assert not ClosedMonth.objects.exists(), "nothing is closed before somebody has seen what that changes"
    sent = {"close": "1", "confirm": "1", "note": "all in"}
    assert "October 2026 is closed." in browser.post(page, sent, follow=True).content.decode()
    assert ClosedMonth.objects.get().closed_by == "fin"
    make_job()
    assert "arrived late" in browser.get(page).content.decode()
    browser.post(page, {"bill_late": "1", "note": "late"})
    assert MonthAdjustment.objects.get().reason == "late"


def test_closing_asks_first_what_is_left_open_and_says_it_again(finance: Any) -> None:
    make_job()
    browser, page = signed_in(finance), reverse("admin:billing_month", args=[2026, 10])
    assert "is not billed" in browser.post(page, {"close": "1"}, follow=True).content.decode()
    asked = browser.post(page, {"close": "1", "accept_open": "on", "note": "left to 2027"}).content.decode()
    assert "Left open" in asked
    assert 'name="accept_open" value="on"' in asked
    assert "Note: left to 2027" in asked
    assert not ClosedMonth.objects.exists()


def test_a_month_is_called_by_its_name_and_era(finance: Any) -> None:
    make_job()
    close()
    browser, page = signed_in(finance), reverse("admin:billing_month", args=[2026, 10])
    browser.cookies["django_language"] = "th"
    shown = browser.get(page).content.decode()
    assert "ตุลาคม 2569" in shown
    assert "2026-10" not in shown.split("<main", 1)[1]
    translation.activate("th")
    assert str(ClosedMonth.objects.get()) == "ตุลาคม 2569"


def test_an_auditor_reads_the_proof_and_changes_nothing(auditor: Any) -> None:
    make_job()
    bill()
    browser, page = signed_in(auditor), reverse("admin:billing_month", args=[2026, 10])
    assert browser.get(page).status_code == 200
    assert browser.post(page, {"close": "1"}).status_code == 403
    assert browser.post(page, {"bill_late": "1", "note": "x"}).status_code == 403
    assert not ClosedMonth.objects.exists()


@pytest.mark.parametrize("month", [(2026, 13), (2026, 0), (1, 1), (9999, 12), (10**10, 1), (2026, 10**20)])
def test_a_month_that_is_none_is_not_found(month: tuple[int, int], finance: Any) -> None:
    assert signed_in(finance).get(f"/admin/billing/closedmonth/{month[0]}-{month[1]}/").status_code == 404


def test_a_researcher_never_sees_it(alice: Any) -> None:
    assert signed_in(alice).get(reverse("admin:billing_month", args=[2026, 10])).status_code == 302


def test_months_with_usage_come_newest_first() -> None:
    make_run()
    make_job(end_at=NOON)
    make_job(end_at=NOON - timedelta(days=61))
    assert months_with_usage() == [date(2026, 10, 1), date(2026, 9, 1), date(2026, 8, 1)]


def test_an_adjustment_and_its_reversal_come_to_nothing_whatever_the_tax(alice: Any, settings: Any) -> None:
    """Both count the lines, as the proof does: with or without tax, but the same on both sides."""
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_RATE = True, Decimal(7)
    account_tier("physics", "mu")
    close_month(actor=Actor("fin"), month=date(2026, 10, 1), note="all in", accept_open=True)
    make_job()
    (receipt,) = bill_late_usage(actor=Actor("fin"), month=date(2026, 10, 1), reason="late").receipts
    void_by_adjustment(actor=Actor("fin"), receipt=receipt, reason="wrong")
    amounts = list(MonthAdjustment.objects.order_by("id").values_list("amount", flat=True))
    assert amounts == [Decimal("8.00"), Decimal("-8.00")]
