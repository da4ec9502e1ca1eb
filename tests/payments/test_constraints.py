"""What the database itself refuses, whoever writes: the last line behind every check of the services."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing.models import Receipt
from payments.models import Payment

pytestmark = [pytest.mark.django_db, pytest.mark.forged("payments written past every service")]


def another(payment: Payment, **fields: Any) -> Payment:
    """A second payment of the same receipt, written past every service."""
    values = {"receipt": payment.receipt, "user": payment.user, "provider": "dummy", "currency": payment.currency}
    values |= {"amount_cents": payment.amount_cents, "idempotency_key": uuid.uuid4().hex}
    return Payment.objects.create(**{**values, **fields})


def refused(constraint: str, work: Any) -> None:
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        work()
    # SQLite names columns instead of unique indexes
    assert constraint in str(error.value) or "UNIQUE" in str(error.value)


@pytest.fixture
def settled(payment: Payment) -> Payment:
    Payment.objects.filter(pk=payment.pk).update(status="succeeded", captured_cents=payment.amount_cents)
    payment.refresh_from_db()
    return payment


def test_no_more_goes_back_than_came_in(settled: Payment) -> None:
    rows = Payment.objects.filter(pk=settled.pk)
    rows.update(refunded_cents=settled.captured_cents)
    refused("payments_refunds_within_captured", lambda: rows.update(refunded_cents=settled.captured_cents + 1))
    refused("payments_refunds_within_captured", lambda: rows.update(refunded_cents=-1))


def test_a_receipt_has_one_open_attempt(payment: Payment) -> None:
    refused("payments_one_open_attempt", lambda: another(payment))
    refused("payments_one_open_attempt", lambda: another(payment, status="authorized"))
    another(payment, status="failed")


def test_a_receipt_is_paid_once(settled: Payment) -> None:
    paid = {"status": "succeeded", "captured_cents": settled.amount_cents}
    refused("payments_one_success", lambda: another(settled, **paid))


def test_a_success_has_its_money(payment: Payment) -> None:
    rows = Payment.objects.filter(pk=payment.pk)
    refused(
        "payments_success_has_money",
        lambda: rows.update(status="succeeded", captured_cents=payment.amount_cents - 1),
    )


def test_a_paid_receipt_says_when(receipt: Receipt) -> None:
    refused("receipts_paid_has_date", lambda: Receipt.objects.filter(pk=receipt.pk).update(status="paid"))
