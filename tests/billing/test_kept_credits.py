"""Credits that are larger than an invoice: kept for the next one, earned once, given once, and no reason for a document."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Project
from accounts.services.organisations import fixed_fields
from billing.models import Invoice, SubscriptionCharge
from billing.reports import recurring
from billing.reports.base import Asked
from billing.services.credit_notes import write_credit_note
from billing.services.invoice_issue import TotalChanged, finalize_anew, finalize_invoice
from billing.services.invoice_payments import record_payment
from billing.services.invoicing import draft_invoice
from billing.services.plan_changes import cancel
from core.errors import BadInput
from subscriptions.models import Subscription
from tests.billing.invoicing import FIN, draft, finalized, make_customer, off, price, use
from tests.billing.subscribers import on, plan, renew, subscribe
from tests.billing.subscribers import price as plan_price
from tests.billing.test_journal import balances, post

MONTHS = [("2026-11-01T08:00", date(2026, 10, 1)), ("2026-12-01T08:00", date(2026, 11, 1)),
          ("2027-01-01T08:00", date(2026, 12, 1))]  # fmt: skip


@pytest.fixture
def project(db: None) -> Project:
    return make_customer()


@pytest.fixture
def yearly(project: Project) -> Subscription:
    """3,650 a year from 1 September 2026, invoiced and paid."""
    row = plan("year", None)
    plan_price(row, "3650", cycle="yearly")
    found = subscribe(row, "2026-09-01", organisation=project.organisation, billing_cycle="yearly")
    with on("2026-10-01T08:00"):
        pay(finalized(project, date(2026, 9, 1)))
    return found


def pay(invoice: Invoice) -> None:
    record_payment(
        actor=FIN, invoice=invoice, amount=invoice.total, currency="THB", method="manual", reference=str(invoice)
    )


def bill(project: Project, when: str, month: date) -> Invoice | None:
    with on(when):
        found = draft_invoice(actor=FIN, organisation=project.organisation, month=month)
        if found is not None:
            finalize_invoice(actor=FIN, invoice=found)
        post()
    return found


def test_what_is_kept_for_the_next_invoice_is_owed_and_no_revenue(project: Project, yearly: Subscription) -> None:
    """34 of 365 days were had; a kept credit once came out as revenue again with every month."""
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=yearly)
    for when, month in MONTHS:
        bill(project, when, month)
        with on(when):
            found = balances()
            assert (found["revenue.fees"], found["deferred_revenue"]) == (-340, -3310), when


def test_kept_credits_alone_are_no_reason_for_an_invoice(project: Project, yearly: Subscription) -> None:
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=yearly)
    made = [bill(project, when, month) for when, month in MONTHS]
    assert made[0] is not None
    assert (made[0].total, made[1:]) == (0, [None, None])
    price("api.call", "5000")
    use(project, 1, timestamp=datetime(2027, 1, 15, 5, tzinfo=UTC))
    last = bill(project, "2027-02-01T08:00", date(2027, 1, 1))
    assert last is not None
    assert last.total == 5000 - 3310
    with on("2027-02-01T08:00"):
        assert balances().get("deferred_revenue", 0) == 0


def test_a_kept_credit_counts_once_in_what_recurs(project: Project, yearly: Subscription) -> None:
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=yearly)
    for when, month in MONTHS:
        bill(project, when, month)
    with on("2027-01-01T08:00"):
        months = [date(2026, 9, 1), date(2026, 11, 1), date(2026, 12, 1)]
        found = recurring.worth(Asked(), months)
    assert [sum(found[month].values(), Decimal(0)) for month in months] == [Decimal("304.17"), 0, 0]


def test_what_a_credit_note_took_back_does_not_come_back_once_more(project: Project, yearly: Subscription) -> None:
    invoice = Invoice.objects.get()
    with on("2026-10-02"):
        write_credit_note(actor=FIN, invoice=invoice, reason="never wanted", lines={1: Decimal(3000)})
        cancel(actor=FIN, subscription=yearly)
    credit = SubscriptionCharge.objects.get(kind="credit")
    assert (credit.amount, credit.explanation["most"]) == (-650, "650.00")


def test_after_a_full_credit_note_nothing_is_left_to_come_back(project: Project, yearly: Subscription) -> None:
    with on("2026-10-02"):
        write_credit_note(actor=FIN, invoice=Invoice.objects.get(), reason="never wanted")
        cancel(actor=FIN, subscription=yearly)
    assert not SubscriptionCharge.objects.filter(kind="credit").exists()


def test_a_late_fee_of_a_month_that_had_nothing_else_is_on_the_next_invoice(project: Project) -> None:
    """The renewal stood still over the day on which the fee fell due, and the month was run meanwhile."""
    row = plan("late", None)
    plan_price(row, "310")
    subscribe(row, "2026-09-15", organisation=project.organisation)
    bill(project, "2026-10-01T03:00", date(2026, 9, 1))
    assert bill(project, "2026-11-01T03:00", date(2026, 10, 1)) is None
    renew("2026-11-01T09:00")
    late = bill(project, "2026-12-01T03:00", date(2026, 11, 1))
    assert late is not None
    assert not SubscriptionCharge.objects.filter(claimed_by="", due_at__lt=late.watermark).exists()
    assert late.total == 310


class TestADraftThatIsOutOfDate:
    @pytest.fixture
    def stale(self, project: Project) -> Invoice:
        """1 at 1,000, which was a mistake for 100; seven more came in."""
        wrong = price("api.call", "1000")
        use(project, 1)
        found = draft(project)
        wrong.is_active = False
        wrong.save()
        price("api.call", "100")
        use(project, 7)
        return found

    def test_is_computed_anew_when_it_gets_its_number(self, stale: Invoice) -> None:
        assert finalize_anew(actor=FIN, invoice=stale)
        assert (stale.status, stale.total) == ("finalized", 800)

    def test_is_shown_again_where_somebody_saw_another_sum(self, stale: Invoice) -> None:
        with pytest.raises(TotalChanged):
            finalize_anew(actor=FIN, invoice=stale, expected=Decimal(1000))
        stale.refresh_from_db()
        assert (stale.status, stale.total) == ("draft", 800)

    def test_is_computed_anew_over_the_api(self, stale: Invoice, finance: Any, client: Any) -> None:
        client.force_login(finance)
        answer = client.post(f"/api/v1/invoices/{stale.uuid}/finalize", {}, content_type="application/json")
        assert (answer.status_code, answer.json()["total"]) == (200, "800.00")


def test_a_discount_in_money_keeps_the_currency_it_is_in(project: Project) -> None:
    assert "currency" not in fixed_fields(project.organisation)
    off(project, percent=Decimal(5))
    assert "currency" not in fixed_fields(project.organisation)
    off(project, amount=Decimal(500))
    assert "currency" in fixed_fields(project.organisation)


def test_money_of_long_ago_is_refused(project: Project) -> None:
    """Books are closed in order: one entry of the year 26 would be two thousand years of months to close."""
    price("api.call", "100")
    use(project, 1)
    invoice = finalized(project)
    with pytest.raises(BadInput) as refused:
        record_payment(
            actor=FIN, invoice=invoice, amount=Decimal(100), currency="THB", method="manual", reference="r",
            received_on=date(26, 11, 5),
        )  # fmt: skip
    assert refused.value.details["field"] == "received_on"


def test_a_line_that_is_named_twice_is_refused(project: Project, finance: Any, client: Any) -> None:
    price("api.call", "100")
    use(project, 1)
    invoice = finalized(project)
    client.force_login(finance)
    order = {"reason": "x", "lines": [{"line": 1, "amount": "10"}, {"line": 1, "amount": "20"}]}
    answer = client.post(f"/api/v1/invoices/{invoice.uuid}/credit-notes", order, content_type="application/json")
    assert answer.status_code == 400
    assert "twice" in answer.content.decode()
