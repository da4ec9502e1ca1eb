"""A subscription gives back what was asked for its fee after discount, whatever the discounts are by then."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Project
from billing.models import Discount, Invoice, InvoiceLine, SubscriptionCharge
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.subscriptions.plan_changes import cancel, change_plan
from core.errors import BadInput
from subscriptions.models import Subscription
from tests.billing.invoicing import FIN, make_customer, off, price, use
from tests.billing.subscribers import on, plan, renew, subscribe
from tests.billing.subscribers import price as plan_price
from tests.billing.test_journal import balances, post
from tests.billing.test_kept_credits import all_proofs, bill, kept

pytestmark = pytest.mark.django_db
D = Decimal
SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)
MID_OCTOBER = datetime(2026, 10, 15, 5, tzinfo=UTC)


@pytest.fixture
def project() -> Project:
    price(per_unit="1")
    return make_customer(account="")


@pytest.fixture
def yearly(project: Project) -> Subscription:
    """3,650 a year from 1 September 2026: ten a day."""
    row = plan("year", None)
    plan_price(row, "3650", cycle="yearly")
    return subscribe(row, "2026-09-01", organisation=project.organisation, billing_cycle="yearly")


def of_september(project: Project) -> Decimal:
    found = bill(project, "2026-10-01T08:00", SEPTEMBER)
    assert found is not None
    return found.total


def figures(project: Project, quantity: int, when: str = "2026-11-01T08:00", month: date = OCTOBER) -> Any:
    """Use so much, and bill the month: subtotal, discount, total; the lines."""
    if quantity:
        use(project, metric_value=D(quantity), timestamp=MID_OCTOBER)
    found = bill(project, when, month)
    assert found is not None
    lines = [f"{each.total:.2f} {each.discount:.2f}" for each in found.lines.order_by("line_number")]
    return f"{found.subtotal:.2f} {found.discount:.2f} {found.total:.2f}", lines


def give(project: Project, percent: str, month: date) -> None:
    if percent:
        Discount.objects.create(
            organisation=project.organisation, name="agreed", percent=D(percent), effective_from=month,
            effective_to=month.replace(day=28), set_by="fin",
        )  # fmt: skip


# 3,310 of the fee of 3,650 come back on 5 October
CASES = [
    # discount of September, of October, used in October, asked in September, sums and lines of October, why
    ("50", "", 5000, "1825.00", "3345.00 0.00 3345.00", ["5000.00 0.00", "-1655.00 0.00"],
     "half was asked for: half of 3,310 comes back, though the discount is over"),
    ("", "20", 5000, "3650.00", "1690.00 1000.00 690.00", ["5000.00 1000.00", "-3310.00 0.00"],
     "all was asked for: all of 3,310 comes back, though there is a discount by now"),
    ("10", "10", 5000, "3285.00", "2021.00 500.00 1521.00", ["5000.00 500.00", "-2979.00 0.00"],
     "the same discount on both: nine tenths of 5,000 - 3,310"),
    ("100", "", 5000, "0.00", "5000.00 0.00 5000.00", ["5000.00 0.00", "0.00 0.00"], "nothing was asked for it"),
    ("33.33", "", 4000, "2433.45", "1793.23 0.00 1793.23", ["4000.00 0.00", "-2206.77 0.00"],
     "1,216.55 off the fee; 3,310 x 2,433.45 / 3,650 = 2,206.7725"),
    ("50", "10", 100, "1825.00", "10.00 10.00 0.00", ["100.00 10.00", "-1655.00 0.00", "1565.00 0.00"],
     "1,655 - (100 - 10) wait for the next invoice"),
]  # fmt: skip


@pytest.mark.parametrize(("then", "now", "used", "asked", "sums", "lines", "why"), CASES)
def test_as_much_comes_back_as_was_asked_for(
    then: str, now: str, used: int, asked: str, sums: str, lines: list[str], why: str, project: Project,
    yearly: Subscription,
) -> None:  # fmt: skip
    give(project, then, SEPTEMBER)
    give(project, now, OCTOBER)
    assert of_september(project) == D(asked)
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=yearly)
    assert figures(project, used) == (sums, lines), why
    with on("2026-11-02"):
        assert all_proofs() == []


def test_what_waits_is_after_discount_and_no_discount_is_for_it(project: Project, yearly: Subscription) -> None:
    give(project, "50", SEPTEMBER)
    give(project, "10", NOVEMBER)
    of_september(project)
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=yearly)
    figures(project, 100)
    assert kept() == [D(-1555)]
    use(project, metric_value=D(2000), timestamp=datetime(2026, 11, 15, 5, tzinfo=UTC))
    found = figures(project, 0, "2026-12-01T08:00", NOVEMBER)
    assert found == ("445.00 200.00 245.00", ["2000.00 200.00", "-1555.00 0.00"])
    with on("2026-12-02"):
        post()
        assert "deferred" not in {role for role, amount in balances().items() if amount}
        assert all_proofs() == []


@pytest.mark.parametrize("inclusive", [False, True], ids=["tax beside", "tax inside"])
def test_all_that_was_given_back_can_be_taken_back(
    project: Project, yearly: Subscription, settings: Any, inclusive: bool
) -> None:
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_INCLUSIVE = True, inclusive
    give(project, "50", SEPTEMBER)
    first = bill(project, "2026-10-01T08:00", SEPTEMBER)
    assert first is not None
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=yearly)
    use(project, metric_value=D(100), timestamp=MID_OCTOBER)
    second = bill(project, "2026-11-01T08:00", OCTOBER)
    assert second is not None
    with on("2026-11-02"):
        with pytest.raises(BadInput, match=r"between 0 and 170\.00"):  # half of 340
            write_credit_note(actor=FIN, invoice=first, reason="x", lines={1: D("170.01")})
        write_credit_note(actor=FIN, invoice=second, reason="wrong")
        assert kept() == []
        write_credit_note(actor=FIN, invoice=first, reason="wrong")
        first.refresh_from_db()
        assert (first.amount_credited, first.amount_due) == (first.total, 0)
        post()
        assert all_proofs() == []


def test_on_one_invoice_both_have_the_discount(project: Project, yearly: Subscription) -> None:
    off(project, percent=D(10))
    with on("2026-09-15"):
        cancel(actor=FIN, subscription=yearly)
    found = figures(project, 0, "2026-10-01T08:00", SEPTEMBER)
    assert found == ("140.00 14.00 126.00", ["3650.00 365.00", "-3510.00 -351.00"])


def test_a_change_of_plans_gives_back_what_was_asked_for(project: Project) -> None:
    """310 from 20 October to 20 November, 31 of them off; on 5 November 15 of 31 days are left: 150 x 0.9 and 300."""
    small, big = plan("small", "310"), plan("big", "620")
    row = subscribe(small, "2026-10-20", organisation=project.organisation)
    give(project, "10", OCTOBER)
    assert figures(project, 0)[0] == "310.00 31.00 279.00"
    with on("2026-11-05"):
        change_plan(actor=FIN, subscription=row, plan=big)
    renew("2026-11-20")
    found = figures(project, 0, "2026-12-01T08:00", NOVEMBER)
    assert found == ("785.00 0.00 785.00", ["620.00 0.00", "-135.00 0.00", "300.00 0.00"])
    row.refresh_from_db()
    assert SubscriptionCharge.objects.get(kind="credit").amount == -150


def test_the_page_of_the_line_says_why_it_is_less(
    project: Project, yearly: Subscription, superuser: Any, client: Any
) -> None:
    give(project, "50", SEPTEMBER)
    of_september(project)
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=yearly)
    figures(project, 5000)
    line = InvoiceLine.objects.get(kind="proration")
    assert line.source["after_discount"] == {
        "of": "-3310", "net": "1825", "total": "3650", "invoice": str(Invoice.objects.order_by("pk")[0])
    }  # fmt: skip
    client.force_login(superuser)
    page = client.get(f"/invoices/{line.invoice.uuid}/lines/{line.line_number}/").content.decode()
    assert "3,310" in page
    assert "after the discount of the fee" in page
