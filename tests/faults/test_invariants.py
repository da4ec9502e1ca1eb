"""The invariants that are looked at after each test: every one finds the damage that it is about, and only then."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from audit import triggers
from billing.models import Receipt, ReceiptItem
from payments.models import Payment, Refund
from tests.invariants import INVARIANTS, broken
from tests.payments.conftest import call
from tests.payments.rigs import new_receipt
from usage.models import Job

pytestmark = [pytest.mark.django_db, pytest.mark.forged("damage is what these tests are about")]


@pytest.fixture
def paid(alice: Any) -> Payment:
    """A receipt of 80.00 THB that was paid, beside one that was not."""
    from core.context import Actor
    from payments.services.checkout import start_payment

    payment = start_payment(actor=Actor("alice"), receipt=new_receipt())
    assert call(payment).status_code == 200
    payment.refresh_from_db()
    new_receipt()
    return payment


def copy_of(payment: Payment, **fields: Any) -> None:
    """Another payment of the same receipt."""
    values = {"external_payment_id": "", "external_charge_id": "", "idempotency_key": uuid.uuid4().hex, **fields}
    for name, value in values.items():
        setattr(payment, name, value)
    payment.pk = None
    payment.save(force_insert=True)


def second_live_line(paid: Payment) -> None:
    item = ReceiptItem.objects.filter(receipt=paid.receipt).get()
    other = Receipt.objects.exclude(pk=paid.receipt_id).get()
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX receipt_items_job_key_live_unique")
    ReceiptItem.objects.filter(receipt=other).update(job_key=item.job_key)


def two_open(paid: Payment) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX payments_one_open_attempt")
    for _each in range(2):
        copy_of(paid, status="pending", captured_cents=0, paid_at=None)


def rewrite_the_log(paid: Payment) -> None:
    triggers.remove(connection)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_log SET actor = 'mallory' WHERE id = 2")
    triggers.install(connection)


def forget_to_say(paid: Payment) -> None:
    """Voided past the service: nobody wrote it down."""
    Receipt.objects.exclude(pk=paid.receipt_id).update(status="void", voided_at=paid.paid_at, void_reason="x")


def back_without_entry(paid: Payment) -> None:
    Refund.objects.create(payment=paid, amount_cents=500, idempotency_key="x", status="failed")


DAMAGE: dict[str, list[Callable[[Payment], object]]] = {
    "I1": [second_live_line, lambda paid: Job.objects.filter(claimed_by=paid.receipt.claim).update(claimed_by="")],
    "I2": [lambda paid: ReceiptItem.objects.filter(receipt=paid.receipt).update(cost=79)],
    "I3": [
        lambda paid: Receipt.objects.filter(pk=paid.receipt_id).update(status="pending"),
        lambda paid: Receipt.objects.filter(pk=paid.receipt_id).update(status="refunded"),
        lambda paid: Receipt.objects.exclude(pk=paid.receipt_id).update(
            status="paid", paid_at=paid.paid_at, method="dummy"
        ),
    ],
    "I4": [lambda paid: Payment.objects.filter(pk=paid.pk).update(refunded_cents=1)],
    "I5": [two_open],
    "I6": [forget_to_say],
    "I7": [rewrite_the_log],
    "I8": [back_without_entry],
}


def test_nothing_is_found_in_books_that_are_in_order(paid: Payment) -> None:
    assert broken() == {}


def test_each_invariant_has_its_damage() -> None:
    assert set(DAMAGE) == set(INVARIANTS)


@pytest.mark.parametrize(("name", "number"), [(name, n) for name, ways in DAMAGE.items() for n in range(len(ways))])
def test_damage_is_found(paid: Payment, name: str, number: int) -> None:
    connection.check_constraints()  # PostgreSQL changes no table with checks still to come
    DAMAGE[name][number](paid)
    assert INVARIANTS[name](), f"{name} does not see it"
