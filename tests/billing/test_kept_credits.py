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
from billing.services.invoices.credit_notes import NotCreditable, write_credit_note
from billing.services.invoices.drafts import draft_invoice
from billing.services.invoices.issue import NotReady, TotalChanged, finalize_anew, finalize_invoice
from billing.services.invoices.payments import record_payment
from billing.services.subscriptions.plan_changes import cancel
from core.errors import BadInput
from hpcbilling.books import INVARIANTS
from subscriptions.models import Subscription
from tests.billing.invoicing import FIN, draft, fee, finalized, make_customer, off, price, use
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


@pytest.fixture
def keeping(project: Project, yearly: Subscription) -> Invoice:
    """300 of usage against a credit of 3,310: the invoice asks for nothing and keeps 3,010."""
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=yearly)
    price("api.call", "100")
    use(project, 3)
    found = bill(project, *MONTHS[0])
    assert found is not None
    assert (found.total, kept()) == (0, [-3010])
    return found


def test_what_was_used_already_is_not_taken_away(project: Project, keeping: Invoice) -> None:
    later = late_usage(project)
    with on("2027-02-03"):
        with pytest.raises(NotCreditable):
            write_credit_note(actor=FIN, invoice=keeping, reason="wrong")
        write_credit_note(actor=FIN, invoice=later, reason="wrong", cancel=True)
        write_credit_note(actor=FIN, invoice=keeping, reason="wrong", cancel=True)
        assert (kept(), all_proofs()) == ([], [])


@pytest.mark.parametrize("steps", [[], ["1000", "0.01"]], ids=["at once", "in steps"])
def test_what_was_used_and_taken_back_in_full_can_be_followed_to_the_fee(
    project: Project, keeping: Invoice, steps: list[str]
) -> None:
    """Nobody canceled the invoice that used it: it stays as it is, with nothing left, and so does the rest."""
    fee_invoice = Invoice.objects.order_by("pk")[0]
    later = late_usage(project)
    (credit,) = keeping.lines.filter(kind="proration")
    with on("2027-02-03"):
        write_credit_note(actor=FIN, invoice=later, reason="wrong", lines={1: Decimal(100)})
        with pytest.raises(NotCreditable):  # there is something left of it
            write_credit_note(actor=FIN, invoice=keeping, reason="wrong")
        write_credit_note(actor=FIN, invoice=later, reason="wrong")
        for part in steps:
            write_credit_note(actor=FIN, invoice=keeping, reason="part", lines={credit.line_number: -Decimal(part)})
        with pytest.raises(BadInput):  # 300 of the credit paid the use of October, and still do
            write_credit_note(actor=FIN, invoice=fee_invoice, reason="wrong", lines={1: Decimal("3350.01")})
        write_credit_note(actor=FIN, invoice=keeping, reason="wrong")
        assert write_credit_note(actor=FIN, invoice=fee_invoice, reason="wrong").total == 3650
        post()
        assert (kept(), all_proofs()) == ([], [])
        left = {role: amount for role, amount in balances().items() if amount}
    assert left == {
        "cash.manual": 3650, "credit_balance": -3650, "revenue.fees": -left["returns.fees"],
        "returns.fees": left["returns.fees"], "revenue.usage": -left["returns.usage"],
        "returns.usage": left["returns.usage"],
    }  # fmt: skip


class TestTakingBackAnInvoiceThatKeepsACredit:
    def test_a_line_that_is_taken_back_is_kept_too(self, project: Project, keeping: Invoice) -> None:
        with on("2026-11-03"):
            note = write_credit_note(actor=FIN, invoice=keeping, reason="outage", lines={1: Decimal(100)})
            post()
            found = balances()
        keeping.refresh_from_db()
        assert (note.total, keeping.status, keeping.amount_due, kept()) == (0, "paid", 0, [-3010, -100])
        assert (found["returns.usage"], found["deferred_revenue"]) == (100, -3110)
        assert all_proofs() == []
        later = late_usage(project)
        assert later.total == 5000 - 3110

    def test_all_of_it_leaves_nothing_in_ledger_tax_or_credit(self, keeping: Invoice) -> None:
        with on("2026-11-03"):
            write_credit_note(actor=FIN, invoice=keeping, reason="outage", lines={1: Decimal("33.33")})
            write_credit_note(actor=FIN, invoice=keeping, reason="wrong")
            post()
            found = balances()
        keeping.refresh_from_db()
        assert (keeping.status, kept()) == ("refunded", [])
        assert found["revenue.usage"] == -found["returns.usage"]
        fees = ("deferred_revenue", "revenue.fees", "returns.fees")
        assert sum(found[role] for role in fees) == -3650, "as after the year's own invoice"
        assert all_proofs() == []
        with on("2026-11-03"), pytest.raises(NotCreditable):
            write_credit_note(actor=FIN, invoice=keeping, reason="once more")

    def test_canceled_it_is_billed_again_to_the_same(self, project: Project, keeping: Invoice) -> None:
        with on("2026-11-03T08:00"):
            write_credit_note(actor=FIN, invoice=keeping, reason="wrong buyer", cancel=True)
        assert (Invoice.objects.get(pk=keeping.pk).status, kept()) == ("canceled", [])
        again = bill(project, "2026-11-03T09:00", date(2026, 10, 1))
        assert again is not None
        assert (again.pk != keeping.pk, again.total, kept()) == (True, 0, [-3010])
        with on("2026-11-03T10:00"):
            assert all_proofs() == []

    def test_a_draft_that_held_it_is_computed_anew(self, project: Project, keeping: Invoice) -> None:
        use(project, 50, timestamp=datetime(2026, 11, 15, 5, tzinfo=UTC))
        with on("2026-12-01T08:00"):
            waiting = draft(project, date(2026, 11, 1))
            assert waiting.total == 5000 - 3010
            write_credit_note(actor=FIN, invoice=keeping, reason="wrong")
            waiting.refresh_from_db()
            with pytest.raises(NotReady):
                finalize_invoice(actor=FIN, invoice=waiting)
            assert finalize_anew(actor=FIN, invoice=waiting)
            assert (waiting.total, all_proofs()) == (5000, [])

    def test_the_kept_line_cannot_be_named(self, keeping: Invoice) -> None:
        number = keeping.lines.get(kind="other").line_number
        with on("2026-11-03"), pytest.raises(BadInput, match="follows the other lines"):
            write_credit_note(actor=FIN, invoice=keeping, reason="x", lines={number: None})

    def test_more_of_the_credit_than_is_kept_stays(self, keeping: Invoice) -> None:
        """Without the credit the customer would owe by an invoice that asks for nothing."""
        number = keeping.lines.get(kind="proration").line_number
        with on("2026-11-03"):
            with pytest.raises(BadInput):
                write_credit_note(actor=FIN, invoice=keeping, reason="x", lines={number: Decimal(-3310)})
            write_credit_note(actor=FIN, invoice=keeping, reason="x", lines={number: Decimal(-3010)})
        assert kept() == []

    def test_a_form_that_is_sent_twice_takes_back_once(self, keeping: Invoice) -> None:
        with on("2026-11-03"):
            write_credit_note(actor=FIN, invoice=keeping, reason="x", lines={1: Decimal(100)}, seen_notes=0)
            with pytest.raises(TotalChanged):
                write_credit_note(actor=FIN, invoice=keeping, reason="x", lines={1: Decimal(100)}, seen_notes=0)

    def test_the_console_says_what_is_kept(self, keeping: Invoice, superuser: Any, client: Any) -> None:
        client.force_login(superuser)
        at = f"/admin/billing/invoice/{keeping.pk}/credit/"
        order = {"reason": "outage", "line_1": "100", "seen": "0", "seen_notes": "0"}
        with on("2026-11-03"):
            assert "more is kept as a credit of the next invoice" in client.post(at, order).content.decode()
            client.post(at, order | {"confirm": "1"})
        assert kept() == [-3010, -100]


def test_an_invoice_whose_credits_are_as_large_as_the_rest_can_be_taken_back(project: Project) -> None:
    fee(project, "100")
    fee(project, "-100", kind="credit", due_at=datetime(2026, 10, 10, tzinfo=UTC))
    with on("2026-11-03"):
        invoice = finalized(project)
        write_credit_note(actor=FIN, invoice=invoice, reason="half", lines={1: Decimal(50), 2: Decimal(-50)})
        assert invoice.status == "paid"
        write_credit_note(actor=FIN, invoice=invoice, reason="wrong", cancel=True)
        assert (invoice.status, all_proofs()) == ("canceled", [])


def kept() -> list[Decimal]:
    rows = SubscriptionCharge.objects.filter(explanation__has_key="carried_from").order_by("pk")
    return [row.amount for row in rows if not row.claimed_by]


def all_proofs() -> list[str]:
    post()
    names = ("journal", "journal_balance", "journal_receivable", "invoice_dues", "invoice_totals", "credit_notes",
             "invoice_claims", "invoice_digests")  # fmt: skip
    return [line for name in names for line in INVARIANTS[name]()]


def late_usage(project: Project) -> Invoice:
    use(project, 50, timestamp=datetime(2027, 1, 15, 5, tzinfo=UTC))
    found = bill(project, "2027-02-01T08:00", date(2027, 1, 1))
    assert found is not None
    return found
