"""Calls about payments of one invoice in every order, doubled, many at once: each part is counted once."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.db import connection

from billing.models import Invoice, InvoicePayment
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.issue import balance
from core.errors import AppError
from payments.services.refunds import refund_payment
from tests.billing.invoicing import FIN
from tests.payments.conformance.test_paying import assert_books, paid_moves
from tests.payments.invoices.conftest import begin, paid, standing
from tests.payments.rigs import RIGS
from tests.payments.test_storms import in_threads
from tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
CALLS = 40


@pytest.mark.parametrize("way", ["stripe.card", "razorpay.checkout"])
def test_a_storm_of_doubled_and_shuffled_calls_counts_each_part_once(fakes: Any, invoice: Invoice, way: str) -> None:
    rig: Any = RIGS[way](fakes)
    first = begin(rig, invoice, "30")
    rig.pay(first)
    true = rig.calls()
    dice = random.Random(8)
    storm = [dice.choice(true) for _number in range(CALLS - len(true))] + true
    dice.shuffle(storm)
    assert in_threads(storm) == {200}
    in_threads(rig.calls() * 2)
    assert standing(invoice) == ("finalized", 30, 70)
    second = begin(rig, invoice)
    rig.pay(second)
    storm = [*true, *rig.calls()] * 4
    dice.shuffle(storm)
    assert in_threads(storm) == {200}
    in_threads(rig.calls() * 2)
    assert standing(invoice) == ("paid", 100, 0)
    assert (paid_moves(), InvoicePayment.objects.count()) == (2, 2)
    assert_books()


def test_refunds_and_a_credit_note_at_the_same_moment_leave_the_books_in_order(fakes: Any, invoice: Invoice) -> None:
    payment = paid(RIGS["stripe.card"](fakes), invoice)

    def work(number: int) -> str:
        try:
            if number == 0:
                write_credit_note(actor=FIN, invoice=Invoice.objects.get(pk=invoice.pk), reason="wrong")
            else:
                refund_payment(actor=FIN, payment=payment, amount_minor=4000, reason="asked for")
        except AppError as error:
            return error.code
        return "done"

    found = at_once(4 if connection.vendor == "postgresql" else 3, work)
    assert "done" in found
    status, amount_paid, due = standing(invoice)
    assert amount_paid + due + invoice.amount_credited == 100
    assert balance(invoice.organisation, "THB") >= 0
    assert status in ("refunded", "finalized", "paid")
    assert_books()
