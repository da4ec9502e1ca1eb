"""Money of an invoice that goes back never leaves the invoice saying something else than the books."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.models import CreditEntry, Invoice, InvoiceReturn
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.issue import balance
from payments.models import Payment
from payments.services.reconciliation import sync_open
from payments.services.refunds import confirm_refund, refund_payment
from tests.billing.invoicing import FIN, fee, finalized, make_customer
from tests.payments.conformance.test_paying import assert_books
from tests.payments.invoices.conftest import paid, standing
from tests.payments.rigs import RIGS

pytestmark = pytest.mark.django_db


@pytest.fixture
def card(fakes: Any) -> Any:
    return RIGS["stripe.card"](fakes)


def give_back(payment: Payment, amount: int) -> Any:
    payment.refresh_from_db()
    return refund_payment(actor=FIN, payment=payment, amount_minor=amount * 100, reason="asked for")


def test_what_is_given_back_without_a_credit_note_is_due_again(card: Any, invoice: Invoice) -> None:
    payment = paid(card, invoice)
    give_back(payment, 30)
    card.deliver()
    assert standing(invoice) == ("finalized", 70, 30)
    invoice.refresh_from_db()
    assert invoice.paid_at is None
    assert_books()
    paid(card, invoice)
    assert standing(invoice) == ("paid", 100, 0)
    assert_books()


def test_what_a_credit_note_took_back_is_given_back_from_the_balance(card: Any, invoice: Invoice) -> None:
    payment = paid(card, invoice)
    write_credit_note(actor=FIN, invoice=invoice, reason="outage", lines={1: Decimal(30)})
    assert balance(invoice.organisation, "THB") == 30
    give_back(payment, 30)
    assert standing(invoice) == ("paid", 70, 0)
    assert balance(invoice.organisation, "THB") == 0
    give_back(payment, 20)
    assert standing(invoice) == ("finalized", 50, 20), "the rest was owed"
    assert_books()


def test_all_of_it_taken_back_and_given_back_leaves_nothing(card: Any, invoice: Invoice) -> None:
    payment = paid(card, invoice)
    write_credit_note(actor=FIN, invoice=invoice, reason="wrong")
    give_back(payment, 100)
    assert standing(invoice) == ("refunded", 0, 0)
    assert balance(invoice.organisation, "THB") == 0
    assert_books()


def test_a_repeat_of_the_same_news_changes_nothing(card: Any, invoice: Invoice) -> None:
    payment = paid(card, invoice)
    give_back(payment, 30)
    for _again in range(3):
        sync_open()
    assert InvoiceReturn.objects.count() == 1
    assert standing(invoice) == ("finalized", 70, 30)


def test_a_refund_that_fails_after_all_pays_it_again(card: Any, invoice: Invoice) -> None:
    payment = paid(card, invoice)
    refund = give_back(payment, 40)
    assert standing(invoice) == ("finalized", 60, 40)
    card.fake.finish_refund(refund.external_refund_id, succeeded=False)
    card.deliver()
    assert standing(invoice) == ("paid", 100, 0)
    assert sorted(InvoiceReturn.objects.values_list("amount", flat=True)) == [-40, 40]
    assert_books()


def test_a_refund_by_hand_moves_the_invoice_when_it_is_confirmed(invoice: Invoice, fakes: Any) -> None:
    payment = paid(RIGS["manual.transfer"](), invoice)
    refund = give_back(payment, 100)
    assert standing(invoice) == ("paid", 100, 0), "nothing has left yet"
    confirm_refund(actor=FIN, refund=refund, note="bank 7")
    assert standing(invoice) == ("finalized", 0, 100)
    assert_books()


def test_a_lost_dispute_makes_it_due_again(card: Any, invoice: Invoice) -> None:
    payment = paid(card, invoice)
    dispute = card.fake.open_dispute(card.charge(payment))
    card.deliver()
    assert standing(invoice) == ("paid", 100, 0), "the bank has not decided"
    card.fake.close_dispute(dispute, won=False)
    card.deliver()
    assert standing(invoice) == ("finalized", 0, 100)
    assert_books()


def test_where_the_balance_was_spent_it_goes_below_nothing_and_is_filled_first(card: Any, invoice: Invoice) -> None:
    payment = paid(card, invoice)
    write_credit_note(actor=FIN, invoice=invoice, reason="wrong")  # 100 in the balance
    project = make_customer(name="Institute", account="")
    months = (date(2026, 8, 1), date(2026, 9, 1))
    for month in months:
        begins = datetime(2026, month.month, 2, tzinfo=UTC)
        fee(project, "100", due_at=begins, period_start=begins, period_end=begins.replace(day=28))
    assert finalized(project, months[0]).status == "paid", "the balance paid it"
    give_back(payment, 100)
    assert balance(invoice.organisation, "THB") == -100
    assert finalized(project, months[1]).amount_due == 100, "nothing is taken from a balance below nothing"
    assert CreditEntry.objects.count() == 3
    assert_books()
