"""The journal: what documents and money mean for the books, once, balanced, and never changed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from billing.ledger.entries import Unbalanced, pairs_of
from billing.ledger.schedule import months_of, shares
from billing.models import (
    Invoice,
    JournalEntry,
    JournalState,
    WriteOff,
)
from billing.selectors.journal import trial_balance
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment
from billing.services.invoices.write_offs import NothingDue, take_back_write_off, write_off_invoice
from billing.services.ledger.journal import post_journal
from billing.services.receipts import create_receipts, mark_paid, void_receipt
from core.context import Actor
from core.errors import BadInput
from hpcbilling import books
from tests.billing.invoicing import FIN, draft, fee, finalized, make_customer, price, use
from tests.factories import account_tier, make_job

CHECKS = ("journal", "journal_balance", "journal_receivable", "journal_periods", "invoice_dues")


@pytest.fixture
def project(db: None) -> Any:
    return make_customer()


@pytest.fixture
def taxed(settings: Any) -> None:
    settings.BILLING_TAX_ENABLED = True


def balances(currency: str = "THB") -> dict[str, Decimal]:
    """Role to debit less credit."""
    return {row.role: row.amount for row in trial_balance(currency=currency)}


def sums(*amounts: Decimal) -> list[int]:
    """Of amounts that are whole."""
    assert all(amount == int(amount) for amount in amounts)
    return [int(amount) for amount in amounts]


def post(**options: Any) -> int:
    done = post_journal(actor=FIN, **options)
    for name in CHECKS:
        assert books.INVARIANTS[name]() == [], name
    return done.entries


def pay(invoice: Invoice, amount: str, reference: str = "slip 1") -> None:
    record_payment(
        actor=FIN, invoice=invoice, amount=Decimal(amount), currency=invoice.currency, method="manual",
        reference=reference,
    )  # fmt: skip


def yearly(project: Any, amount: str = "1200", **fields: Any) -> Any:
    """A fee for the year from 1 October 2026 (Bangkok)."""
    from billing.models import SubscriptionCharge
    from subscriptions.models import Plan, PlanPrice, Subscription

    plan, _made = Plan.objects.get_or_create(code="year", defaults={"name": "Year"})
    listed, _made = PlanPrice.objects.get_or_create(
        plan=plan, billing_cycle="yearly", currency="THB", effective_from=date(2026, 1, 1),
        defaults={"amount": Decimal(1200), "set_by": "fin"},
    )  # fmt: skip
    subscription, _made = Subscription.objects.get_or_create(
        organisation=project.organisation, plan=plan,
        defaults={"currency": "THB", "status": "active", "billing_cycle": "yearly"},
    )  # fmt: skip
    return SubscriptionCharge.objects.create(**{
        "subscription": subscription, "kind": "fee", "price": listed, "amount": Decimal(amount), "currency": "THB",
        "period_start": datetime(2026, 9, 30, 17, tzinfo=UTC), "period_end": datetime(2027, 9, 30, 17, tzinfo=UTC),
        "due_at": datetime(2026, 9, 30, 17, tzinfo=UTC), **fields,
    })  # fmt: skip


def test_an_invoice_debits_the_customer_and_credits_revenue_by_kind_and_tax(project: Any, taxed: None) -> None:
    price()
    use(project, 3)
    fee(project, "100")
    make_job(account="inst")
    invoice = finalized(project)
    assert post() == 1
    jobs = invoice.lines.get(kind="jobs").net
    assert balances() == {
        "receivable": invoice.total, "revenue.jobs": -jobs, "revenue.usage": Decimal("-1.50"),
        "revenue.fees": Decimal(-100), "output_tax": -invoice.tax,
    }  # fmt: skip
    entry = JournalEntry.objects.get()
    assert (entry.kind, entry.source_id, entry.document) == ("invoice", invoice.pk, invoice.invoice_number)
    assert (entry.date, entry.fact_date, entry.organisation_id) == (
        invoice.issue_date, invoice.issue_date, invoice.organisation_id,
    )  # fmt: skip
    months = entry.postings.exclude(credit_month=None).values_list("credit_month", flat=True)
    assert set(months) == {date(2026, 10, 1)}  # earned in the month that it bills


def test_posting_twice_posts_once(project: Any) -> None:
    fee(project)
    finalized(project)
    assert post() == 1
    assert post() == 0
    assert post(full=True) == 0
    assert JournalEntry.objects.count() == 1


def test_drafts_are_no_facts_and_a_dry_run_writes_nothing(project: Any) -> None:
    fee(project)
    draft(project)
    assert post() == 0
    assert JournalState.objects.count() == 1
    finalized(project)
    assert post_journal(actor=FIN, dry_run=True).entries == 1
    assert not JournalEntry.objects.exists()


def test_part_payment_overpayment_and_use_of_the_balance(project: Any) -> None:
    fee(project, "100")
    invoice = finalized(project)
    pay(invoice, "30")
    post()
    assert balances()["receivable"] == 70
    pay(invoice, "90", "slip 2")
    post()
    assert balances() == {"cash.manual": 120, "credit_balance": -20, "revenue.fees": -100}
    other = fee(project, "50", due_at=datetime(2026, 10, 31, 17, tzinfo=UTC),
                period_start=datetime(2026, 10, 31, 17, tzinfo=UTC),
                period_end=datetime(2026, 11, 30, 17, tzinfo=UTC))  # fmt: skip
    with time_machine.travel(datetime(2026, 12, 2, tzinfo=UTC), tick=False):
        later = finalized(project, date(2026, 11, 1))
        post()
    assert (other.amount, later.amount_due) == (50, 30)
    assert balances() == {"cash.manual": 120, "receivable": 30, "revenue.fees": -150}


def test_a_credit_note_over_all_of_it_leaves_nothing_but_its_trace(project: Any, taxed: None) -> None:
    price(per_unit="0.33")
    use(project, 7)
    fee(project, "99.99")
    invoice = finalized(project)
    pay(invoice, "10")
    write_credit_note(actor=FIN, invoice=invoice, reason="wrong", lines={1: Decimal("0.07")})
    write_credit_note(actor=FIN, invoice=invoice, reason="wrong", cancel=True)
    post()
    left = balances()
    assert left["cash.manual"] == 10
    assert left["credit_balance"] == -10
    assert "receivable" not in left
    assert "output_tax" not in left
    for kind in ("usage", "fees"):
        assert left[f"revenue.{kind}"] + left[f"returns.{kind}"] == 0


def test_prices_with_tax_inside_are_taken_apart_to_the_minor_unit(project: Any, settings: Any) -> None:
    settings.BILLING_TAX_ENABLED = settings.BILLING_TAX_INCLUSIVE = True
    price(per_unit="0.33")
    use(project, 7)
    fee(project, "99.99")
    yearly(project, "1000")
    invoice = finalized(project)
    post()
    earned = {role: amount for role, amount in balances().items() if role.startswith(("revenue", "deferred"))}
    assert -sum(earned.values()) == invoice.subtotal - invoice.discount
    assert balances()["output_tax"] == -invoice.tax
    write_credit_note(actor=FIN, invoice=invoice, reason="wrong")
    post()
    left = balances()
    assert {role for role in left if not role.startswith(("revenue", "returns"))} == set()
    assert all(left[f"revenue.{kind}"] == -left[f"returns.{kind}"] for kind in ("usage", "fees"))


def test_a_yearly_fee_is_earned_month_by_month(project: Any) -> None:
    yearly(project, "1200")
    with time_machine.travel(datetime(2026, 11, 2, tzinfo=UTC), tick=False):
        finalized(project)
        post()
    october = (Decimal(1200) * 31 / 365).quantize(Decimal("0.01"))
    assert balances() == {"receivable": 1200, "deferred_revenue": october - 1200, "revenue.fees": -october}
    with time_machine.travel(datetime(2027, 4, 15, tzinfo=UTC), tick=False):
        post()
    assert -balances()["revenue.fees"] == sum(
        amount for month, amount in parts_of("1200") if month < date(2027, 4, 1)
    )  # fmt: skip
    with time_machine.travel(datetime(2027, 10, 1, 1, tzinfo=UTC), tick=False):
        post()
        assert post() == 0
    assert balances() == {"receivable": 1200, "revenue.fees": -1200}
    assert JournalEntry.objects.filter(kind="recognition").count() == 12


def parts_of(amount: str) -> list[tuple[date, Decimal]]:
    from zoneinfo import ZoneInfo

    start, end = datetime(2026, 9, 30, 17, tzinfo=UTC), datetime(2027, 9, 30, 17, tzinfo=UTC)
    return shares(Decimal(amount), start, end, ZoneInfo("Asia/Bangkok"), 2)


def test_a_schedule_goes_by_days_in_the_zone_of_the_customer_and_loses_nothing() -> None:
    from zoneinfo import ZoneInfo

    bangkok = ZoneInfo("Asia/Bangkok")
    start, end = datetime(2027, 1, 14, 17, tzinfo=UTC), datetime(2027, 4, 14, 17, tzinfo=UTC)
    assert months_of(start, end, bangkok) == [
        (date(2027, 1, 1), 17), (date(2027, 2, 1), 28), (date(2027, 3, 1), 31), (date(2027, 4, 1), 14),
    ]  # fmt: skip
    for amount in ("100", "-100", "0.01", "-0.01"):
        parts = shares(Decimal(amount), start, end, bangkok, 2)
        assert sum(part for _month, part in parts) == Decimal(amount)
        assert all(part * Decimal(amount) >= 0 for _month, part in parts)


def test_a_credit_note_over_a_yearly_fee_takes_back_what_was_earned_and_what_was_not(project: Any) -> None:
    yearly(project, "1200")
    with time_machine.travel(datetime(2026, 11, 2, tzinfo=UTC), tick=False):
        invoice = finalized(project)
        post()
    with time_machine.travel(datetime(2027, 1, 20, 5, tzinfo=UTC), tick=False):
        post()
        write_credit_note(actor=FIN, invoice=invoice, reason="never used")
        post()
        left = balances()
        assert set(left) == {"revenue.fees", "returns.fees"}
        assert left["revenue.fees"] == -left["returns.fees"]
    with time_machine.travel(datetime(2027, 10, 2, tzinfo=UTC), tick=False):
        post()
    assert balances() == {"revenue.fees": -1200, "returns.fees": 1200}


def test_a_yearly_fee_that_is_taken_back_in_parts_leaves_no_month_with_anything(project: Any) -> None:
    """Each part has months of its own that are rounded; together they are those of the fee."""
    yearly(project, "100.03")
    with time_machine.travel(datetime(2026, 11, 2, tzinfo=UTC), tick=False):
        invoice = finalized(project)
        post()
    with time_machine.travel(datetime(2027, 3, 20, 5, tzinfo=UTC), tick=False):
        for part in ("33.33", "0.07", "11.11", None):
            lines = {1: Decimal(part)} if part else None
            write_credit_note(actor=FIN, invoice=invoice, reason="in parts", lines=lines)
        post()
        left = balances()
        assert left["revenue.fees"] == -left["returns.fees"]
        assert "deferred_revenue" not in left


def test_bad_debt_leaves_the_receivable_and_comes_back_when_it_is_paid_after_all(project: Any) -> None:
    fee(project, "100")
    invoice = finalized(project)
    pay(invoice, "40")
    row = write_off_invoice(actor=FIN, invoice=invoice, reason="bankrupt")
    assert row is not None
    assert sums(row.amount, invoice.amount_due) == [60, 0]
    assert invoice.status == "finalized"
    assert write_off_invoice(actor=FIN, invoice=invoice, reason="bankrupt") is None
    post()
    assert balances() == {"cash.manual": 40, "bad_debt": 60, "revenue.fees": -100}
    pay(invoice, "25", "late")
    invoice.refresh_from_db()
    assert sums(invoice.amount_written_off, invoice.amount_due) == [35, 0]
    assert invoice.status == "finalized"
    post()
    assert balances() == {"cash.manual": 65, "bad_debt": 35, "revenue.fees": -100}
    pay(invoice, "35", "last")
    invoice.refresh_from_db()
    assert (sums(invoice.amount_written_off), invoice.status) == ([0], "paid")
    post()
    assert balances() == {"cash.manual": 100, "revenue.fees": -100}


def test_bad_debt_is_taken_back_by_hand_and_by_a_credit_note(project: Any, taxed: None) -> None:
    fee(project, "100")
    invoice = finalized(project)
    write_off_invoice(actor=FIN, invoice=invoice, reason="bankrupt")
    assert take_back_write_off(actor=FIN, invoice=invoice, reason="a mistake") is not None
    assert invoice.amount_due == 107
    write_off_invoice(actor=FIN, invoice=invoice, reason="bankrupt")
    write_credit_note(actor=FIN, invoice=invoice, reason="wrong")
    invoice.refresh_from_db()
    assert sums(invoice.amount_written_off, invoice.amount_credited, invoice.amount_due) == [0, 107, 0]
    post()
    assert balances() == {"revenue.fees": -100, "returns.fees": 100}


def test_only_what_is_due_is_written_off_and_only_with_a_reason(project: Any) -> None:
    fee(project, "100")
    invoice = draft(project)
    with pytest.raises(NothingDue):
        write_off_invoice(actor=FIN, invoice=invoice, reason="bankrupt")
    invoice = finalized(project)
    with pytest.raises(BadInput):
        write_off_invoice(actor=FIN, invoice=invoice, reason="  ")
    with pytest.raises(NothingDue):
        write_off_invoice(actor=FIN, invoice=invoice, reason="bankrupt", expected=Decimal(1))
    pay(invoice, "100")
    with pytest.raises(NothingDue):
        write_off_invoice(actor=FIN, invoice=invoice, reason="bankrupt")
    assert not WriteOff.objects.exists()


def test_bad_debt_above_the_limit_needs_a_second_person(project: Any, settings: Any, make_user: Any) -> None:
    from accounts.models import Approval
    from accounts.services.approvals import WaitsForSecond, approve

    settings.FOUR_EYES_ABOVE = Decimal(50)
    for name in ("fin", "fin2"):
        make_user(name, role="admin", groups=["Finance"])
    fee(project, "100")
    invoice = finalized(project)
    with pytest.raises(WaitsForSecond):
        write_off_invoice(actor=FIN, invoice=invoice, reason="bankrupt")
    assert not WriteOff.objects.exists()
    approve(actor=Actor("fin2"), approval=Approval.objects.get())
    assert WriteOff.objects.get().created_by == "fin"


@pytest.fixture
def alice(make_user: Any) -> Any:
    return make_user("alice")


def test_receipts_are_owed_paid_and_voided(alice: Any, taxed: None) -> None:
    account_tier("physics", "mu")
    make_job()
    (receipt,) = create_receipts(actor=FIN, username="alice")
    post()
    assert balances() == {
        "receivable": receipt.total, "revenue.jobs": -receipt.subtotal, "output_tax": -receipt.tax_amount,
    }  # fmt: skip
    void_receipt(actor=FIN, receipt=receipt, reason="wrong")
    post()
    assert balances() == {"revenue.jobs": -receipt.subtotal, "returns.jobs": receipt.subtotal}
    (again,) = create_receipts(actor=FIN, username="alice")
    mark_paid(actor=FIN, receipt=again, method="manual", tx_ref="slip 9")
    post()
    assert balances()["cash.manual"] == again.total
    assert "receivable" not in balances()
    assert JournalEntry.objects.filter(user="alice").count() == 4


def test_currencies_are_never_added(project: Any) -> None:
    fee(project, "100")
    finalized(project)
    yen = make_customer("Tokyo", account="tokyo", currency="JPY")
    fee(yen, "900", currency="JPY")
    finalized(yen)
    post()
    assert balances()["receivable"] == 100
    assert balances("JPY") == {"receivable": 900, "revenue.fees": -900}


def test_pairs_are_the_only_way_and_balance() -> None:
    sides = {("receivable", None): Decimal(107), ("output_tax", None): Decimal(-7),
             ("revenue.jobs", date(2026, 10, 1)): Decimal(-100)}  # fmt: skip
    pairs = pairs_of(sides)
    assert sum(amount for _debit, _credit, amount in pairs) == 107
    with pytest.raises(Unbalanced):
        pairs_of({("receivable", None): Decimal(107), ("output_tax", None): Decimal(-7)})
    with pytest.raises(Unbalanced):  # from an account to itself
        pairs_of({("revenue.jobs", None): Decimal(1), ("revenue.jobs", date(2026, 1, 1)): Decimal(-1)})
