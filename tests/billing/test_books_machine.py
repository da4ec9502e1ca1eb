"""Whatever is done with invoices, in any order: the journal balances and says what the documents say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing.ledger.chart import RECEIVABLE
from billing.models import AccountingPeriod, Invoice, InvoiceLine, InvoiceStatus, JournalEntry, SubscriptionCharge
from billing.selectors.documents.credits import lefts_of
from billing.selectors.journal import differences, trial_balance
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment
from billing.services.invoices.runs import run_invoices
from billing.services.invoices.write_offs import take_back_write_off, write_off_invoice
from billing.services.ledger.journal import post_journal
from billing.services.ledger.periods import close_period, open_period
from billing.services.months import close_month
from core.errors import AppError
from core.periods import next_month, previous_month, today
from hpcbilling import books
from tests.billing.invoicing import FIN, fee, finalized, make_customer, price, use
from tests.billing.test_journal import yearly
from tests.factories import make_job
from tests.faults.seeds import times
from tests.races import at_once
from usage.models import Job

BEGINS = datetime(2026, 12, 2, 5, tzinfo=UTC)
CHECKS = ("journal", "journal_balance", "journal_receivable", "journal_periods", "invoice_dues", "invoice_totals",
          "invoice_numbers", "credit_notes", "invoice_claims")  # fmt: skip
PARTS = st.integers(min_value=1, max_value=100)


def prove() -> None:
    post_journal(actor=FIN)
    assert list(differences()) == []
    found = {name: books.INVARIANTS[name]() for name in CHECKS}
    assert not any(found.values()), found


class Books(RuleBasedStateMachine):
    """Two organisations; invoices with jobs, usage, a monthly and a yearly fee, taxed, one with a discount."""

    invoices = Bundle("invoices")

    @initialize(inclusive=st.booleans())
    def begin(self, inclusive: bool) -> None:
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.clock = time_machine.travel(BEGINS, tick=False)
        self.traveller = self.clock.start()
        self.now, self.slips, self.month = BEGINS, 0, date(2026, 10, 1)
        from django.conf import settings as project

        self.kept = (project.BILLING_TAX_ENABLED, project.BILLING_TAX_INCLUSIVE)
        project.BILLING_TAX_ENABLED, project.BILLING_TAX_INCLUSIVE = True, inclusive
        self.customers = [make_customer("One", account="one"), make_customer("Two", account="two")]
        price(per_unit="0.33", minimum_charge=Decimal("2.5"))

    def teardown(self) -> None:
        if hasattr(self, "undo"):
            from django.conf import settings as project

            project.BILLING_TAX_ENABLED, project.BILLING_TAX_INCLUSIVE = self.kept
            self.clock.stop()
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    @rule(target=invoices, which=st.integers(0, 1), calls=st.integers(0, 9), by_year=st.booleans(), ended=st.booleans())
    def finalize(self, which: int, calls: int, by_year: bool, ended: bool) -> int:
        """The next month that the organisation has no invoice of; a subscription that ended gives much back."""
        project = self.customers[which]
        live = Invoice.objects.filter(organisation=project.organisation).exclude(status="canceled")
        month = max((next_month(each.first_day) for each in live), default=date(2026, 9, 1))
        self._until(next_month(month))
        noon = datetime(month.year, month.month, 15, 5, tzinfo=UTC)
        use(project, calls, timestamp=noon) if calls else None
        make_job(account=("one", "two")[which], end_at=noon)
        fee(project, "99.99", due_at=noon, period_start=noon, period_end=noon + timedelta(days=30))
        if by_year:
            yearly(project, "1000", due_at=noon, period_start=noon, period_end=noon + timedelta(days=365))
        if ended:
            back = noon + timedelta(days=1)
            yearly(
                project, "-700", kind="credit", due_at=back, period_start=back, period_end=noon + timedelta(days=366)
            )
        return finalized(project, month).pk

    def _until(self, day: date) -> None:
        wanted = datetime(day.year, day.month, 2, 5, tzinfo=UTC)
        if wanted > self.now:
            self.now = wanted
            self.traveller.move_to(wanted)

    @rule(days=st.integers(1, 45))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)
        self.traveller.move_to(self.now)

    @rule(pk=invoices, part=PARTS, back=st.integers(0, 60))
    def pay(self, pk: int, part: int, back: int) -> None:
        """A part of what it asks for, all of it, or more, perhaps some time ago."""
        invoice = Invoice.objects.get(pk=pk)
        amount = max((invoice.total * part / 60).quantize(Decimal("0.01")), Decimal("0.01"))
        self.slips += 1
        self._try(
            record_payment, invoice=invoice, amount=amount, currency="THB", method="manual",
            reference=f"slip {self.slips}", received_on=today() - timedelta(days=back),
        )  # fmt: skip

    @rule(pk=invoices)
    def pay_what_is_due(self, pk: int) -> None:
        invoice = Invoice.objects.get(pk=pk)
        if invoice.amount_due:
            self.slips += 1
            self._try(
                record_payment, invoice=invoice, amount=invoice.amount_due, currency="THB", method="manual",
                reference=f"slip {self.slips}",
            )  # fmt: skip

    @rule(pk=invoices, part=PARTS, which=st.integers(1, 9))
    def credit_a_part(self, pk: int, part: int, which: int) -> None:
        invoice = Invoice.objects.get(pk=pk)
        lefts = lefts_of(invoice, list(invoice.lines.order_by("line_number")))
        left = lefts[which % len(lefts)]
        amount = (left.rest * part / 100).quantize(Decimal("0.01"))
        if amount:
            self._try(write_credit_note, invoice=invoice, reason="part", lines={left.number: amount})

    @rule(pk=invoices, cancel=st.booleans())
    def credit_all_of_it(self, pk: int, cancel: bool) -> None:
        """Nothing is left of it in the ledger or in its tax; canceled, its jobs and fees can be billed again."""
        invoice = Invoice.objects.get(pk=pk)
        if not self._try(write_credit_note, invoice=invoice, reason="wrong", cancel=cancel):
            return
        invoice.refresh_from_db()
        assert invoice.amount_credited == invoice.total
        assert not invoice.amount_due
        assert not invoice.amount_written_off
        post_journal(actor=FIN)
        sides = self._sides(invoice)
        assert not sides.get(RECEIVABLE)
        assert not sides.get("output_tax")
        earned = sum(amount for role, amount in sides.items() if role.startswith(("revenue.", "returns.", "deferred")))
        assert not earned
        free = invoice.status == InvoiceStatus.CANCELED
        assert free is cancel
        held = [
            Job.objects.filter(claimed_by=invoice.claim),
            SubscriptionCharge.objects.filter(claimed_by=invoice.claim),
        ]
        assert any(rows.exists() for rows in held) is not cancel

    def _sides(self, invoice: Invoice) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for entry in JournalEntry.objects.filter(invoice=invoice).prefetch_related("postings"):
            for row in entry.postings.all():
                found[row.debit] = found.get(row.debit, Decimal(0)) + row.amount
                found[row.credit] = found.get(row.credit, Decimal(0)) - row.amount
        return found

    @rule(pk=invoices)
    def write_off(self, pk: int) -> None:
        self._try(write_off_invoice, invoice=Invoice.objects.get(pk=pk), reason="bankrupt")

    @rule(pk=invoices)
    def expect_it_again(self, pk: int) -> None:
        self._try(take_back_write_off, invoice=Invoice.objects.get(pk=pk), reason="they pay")

    @rule()
    def close_a_period(self) -> None:
        post_journal(actor=FIN)
        closed = AccountingPeriod.objects.filter(status="closed").order_by("-month").first()
        first = JournalEntry.objects.order_by("date").first()
        month = next_month(closed.month) if closed else first.date.replace(day=1) if first else None
        if month is not None and month <= previous_month(today()):
            close_month(actor=FIN, month=month, note="ok", accept_open=True)
            close_period(actor=FIN, month=month)

    @rule()
    def open_the_last_period(self) -> None:
        closed = AccountingPeriod.objects.filter(status="closed").order_by("-month").first()
        if closed:
            open_period(actor=FIN, month=closed.month, reason="forgot")

    def _try(self, act: Any, **wanted: Any) -> bool:
        """What is refused changes nothing; which acts are refused, other tests say."""
        try:
            with transaction.atomic():
                act(actor=FIN, **wanted)
        except AppError:
            return False
        return True

    @invariant()
    def the_books_are_in_order(self) -> None:
        if hasattr(self, "undo"):
            prove()
            for row in trial_balance():
                assert row.currency == "THB"


@pytest.mark.django_db(transaction=True)
def test_every_sequence_of_acts_keeps_the_books_in_order() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Books,
        settings=settings(
            max_examples=times("BOOKS_RUNS", 5), stateful_step_count=14, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_twenty_runs_at_once_make_one_set_of_invoices_without_a_gap_and_a_whole_journal() -> None:
    price()
    for number in range(6):
        customer = make_customer(f"Org {number}", account=f"acct{number}")
        use(customer, 3)
        fee(customer, "100")
        make_job(account=f"acct{number}")

    def one(_number: int) -> int:
        done = run_invoices(actor=FIN, month=date(2026, 10, 1), finalize=True)
        assert not done.failed, done.failed
        post_journal(actor=FIN)
        return len(done.rows)

    at_once(20, one)
    assert Invoice.objects.count() == 6
    assert sorted(Invoice.objects.values_list("serial", flat=True)) == [1, 2, 3, 4, 5, 6]
    assert InvoiceLine.objects.count() == 18
    assert JournalEntry.objects.filter(kind="invoice").count() == 6
    prove()
