"""Invoices are paid through the same providers as receipts, in full or in parts, and what is too much is kept."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Member
from billing.models import Invoice, InvoicePayment
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.issue import balance
from billing.services.invoices.payments import record_payment_by_hand
from core.context import Actor
from core.errors import BadInput
from payments.models import Payment
from payments.services.checkout import NotPayable, start_payment
from payments.services.reconciliation import sync_open
from payments.services.retries import retry_payment
from tests.billing.invoicing import FIN, fee, finalized, make_customer
from tests.payments.conformance.test_paying import assert_books, paid_moves
from tests.payments.invoices.conftest import PAYER, begin, paid, standing
from tests.payments.rigs import RIGS, new_receipt
from tests.races import at_once

pytestmark = pytest.mark.django_db
WAYS = ("stripe.card", "omise.promptpay", "omise.card", "razorpay.checkout", "dummy.page", "manual.transfer")


@pytest.mark.parametrize("rig", WAYS, indirect=True)
def test_money_that_fits_pays_the_invoice_once(rig: Any, invoice: Invoice) -> None:
    payment = paid(rig, invoice)
    assert (payment.status, payment.invoice_id, payment.receipt_id) == ("succeeded", invoice.pk, None)
    assert standing(invoice) == ("paid", 100, 0)
    row = InvoicePayment.objects.get()
    assert (row.amount, row.method, row.source) == (100, rig.name, f"payment:{payment.pk}")
    assert paid_moves() == 1
    assert_books()


@pytest.mark.parametrize("rig", ["stripe.card", "razorpay.checkout"], indirect=True)
def test_parts_are_payments_of_their_own_and_the_last_one_pays_it(rig: Any, invoice: Invoice) -> None:
    first = paid(rig, invoice, "30.50")
    assert standing(invoice) == ("finalized", Decimal("30.50"), Decimal("69.50"))
    second = paid(rig, invoice)
    assert second.pk != first.pk
    assert second.amount == Decimal("69.50")
    assert standing(invoice) == ("paid", 100, 0)
    assert_books()


@pytest.mark.parametrize("amount", ["0", "-1", "100.01", "1.001", "NaN"])
def test_a_part_lies_above_nothing_and_up_to_what_is_due(invoice: Invoice, fakes: Any, amount: str) -> None:
    with pytest.raises(BadInput):
        begin(RIGS["dummy.page"](), invoice, amount)
    assert not Payment.objects.exists()


def test_where_parts_are_not_taken_only_all_of_it_is(invoice: Invoice, fakes: Any, settings: Any) -> None:
    settings.BILLING_PARTIAL_PAYMENTS = False
    with pytest.raises(BadInput):
        begin(RIGS["dummy.page"](), invoice, "50")
    assert begin(RIGS["dummy.page"](), invoice, "100").amount == 100


def test_a_second_click_finds_the_attempt_and_another_amount_closes_it_first(invoice: Invoice, fakes: Any) -> None:
    rig = RIGS["stripe.card"](fakes)
    first = begin(rig, invoice, "40")
    assert begin(rig, invoice, "40").pk == first.pk
    second = begin(rig, invoice, "60")
    first.refresh_from_db()
    assert (first.status, second.status) == ("canceled", "pending")


def test_what_comes_too_much_pays_the_next_invoice(invoice: Invoice, fakes: Any) -> None:
    """Finance wrote 40 down while the payer was at the checkout of 100."""
    rig: Any = RIGS["stripe.card"](fakes)
    payment = begin(rig, invoice)
    rig.pay(payment)
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(40), reference="slip 1")
    rig.deliver()
    assert standing(invoice) == ("paid", 100, 0)
    assert balance(invoice.organisation, "THB") == 40
    assert_books()
    project = make_customer(name="Institute", account="")
    fee(project, "50", due_at=datetime(2026, 9, 10, tzinfo=UTC), period_start=datetime(2026, 8, 31, 17, tzinfo=UTC),
        period_end=datetime(2026, 9, 30, 17, tzinfo=UTC))  # fmt: skip
    following = finalized(project, date(2026, 9, 1))
    assert (following.amount_paid, following.amount_due) == (40, 10)
    assert_books()


def test_money_for_an_invoice_that_was_canceled_waits_for_review(invoice: Invoice, fakes: Any) -> None:
    rig: Any = RIGS["stripe.card"](fakes)
    payment = begin(rig, invoice)
    rig.pay(payment)
    write_credit_note(actor=FIN, invoice=invoice, reason="wrong", cancel=True)
    rig.deliver()
    payment.refresh_from_db()
    assert (payment.status, payment.review_reason) == (
        "needs_review", "money arrived for an invoice that is canceled",
    )  # fmt: skip
    assert not InvoicePayment.objects.exists()
    assert_books()


def test_with_every_call_lost_one_reconciliation_finds_the_money(invoice: Invoice, fakes: Any) -> None:
    rig: Any = RIGS["stripe.card"](fakes)
    payment = begin(rig, invoice, "25")
    rig.pay(payment)
    rig.calls()  # dropped
    assert (sync_open().changed, sync_open().changed) == (1, 0)
    assert standing(invoice) == ("finalized", 25, 75)
    assert_books()


def test_an_open_checkout_of_an_invoice_that_was_paid_otherwise_is_closed(invoice: Invoice, fakes: Any) -> None:
    payment = begin(RIGS["stripe.card"](fakes), invoice)
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(100), reference="slip 1")
    assert sync_open().closed == 1
    payment.refresh_from_db()
    assert payment.status == "canceled"


def test_a_part_that_failed_is_tried_again_with_what_is_still_due(invoice: Invoice, fakes: Any) -> None:
    rig: Any = RIGS["omise.promptpay"](fakes)
    payment = begin(rig, invoice, "80")
    rig.fail(payment)
    rig.deliver()
    payment.refresh_from_db()
    assert payment.status == "failed"
    assert payment.next_retry_at is not None
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(50), reference="slip 1")
    assert retry_payment(actor=FIN, payment=payment) == "opened"
    again = Payment.objects.get(retry_of=payment)
    assert (again.amount, again.user_id, again.invoice_id) == (50, "fin", invoice.pk)


def test_nothing_is_begun_for_what_asks_for_nothing(invoice: Invoice, fakes: Any) -> None:
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(100), reference="slip 1")
    with pytest.raises(NotPayable):
        begin(RIGS["dummy.page"](), invoice)


@pytest.mark.forged("payments written past every service")
def test_the_database_wants_exactly_one_receipt_or_invoice(invoice: Invoice, alice: Any) -> None:
    receipt = new_receipt()
    fields = {"user": alice, "provider": "dummy", "currency": "THB", "amount_cents": 1}
    for number, target in enumerate(({}, {"receipt": receipt, "invoice": invoice})):
        with pytest.raises(IntegrityError), transaction.atomic():
            Payment.objects.create(**fields, **target, idempotency_key=str(number))
    Payment.objects.create(**fields, invoice=invoice, idempotency_key="one")
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(**fields, invoice=invoice, idempotency_key="a second open one")


@pytest.mark.django_db(transaction=True)
def test_many_begin_at_once_and_get_one_attempt(invoice: Invoice, fakes: Any) -> None:
    """Those who come second get the same one."""
    rig = RIGS["stripe.card"](fakes)
    found = at_once(6 if connection.vendor == "postgresql" else 3, lambda _n: begin(rig, invoice, "40").pk)
    assert len(set(found)) == 1
    assert Payment.objects.count() == 1


def test_whoever_begins_it_is_its_user(invoice: Invoice, fakes: Any, bob: Any) -> None:
    Member.objects.create(organisation=invoice.organisation, user=bob, role="owner")
    assert begin(RIGS["dummy.page"](), invoice).user_id == PAYER.name
    again = start_payment(actor=Actor("bob"), invoice=invoice)
    assert again.user_id == PAYER.name, "the same attempt"
