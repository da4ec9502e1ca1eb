"""Calls in every order, many at once, over and over: one payment, one paid receipt, every answer 2xx.

Smaller here than in ``make storms``, where STORM_CALLS, STORM_SEEDS and ORDERS are as in docs/payments.md.
"""

from __future__ import annotations

import itertools
import os
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections

from audit.models import AuditLog
from billing.models import Receipt
from core.errors import BadInput
from payments.models import Payment, PaymentEvent, Refund
from payments.services.reconciliation import sync_open
from payments.services.refunds import refund_payment
from tests.fakes.providers import Providers
from tests.payments.conformance.test_paying import assert_books, states
from tests.payments.rigs import FINANCE, RIGS, new_receipt, post_call
from tests.races import at_once

CALLS = int(os.environ.get("STORM_CALLS", "60"))
SEEDS = range(int(os.environ.get("STORM_SEEDS", "1")))
ORDERS = int(os.environ.get("ORDERS", "24"))
THREADS = 16
PAID = {
    "stripe.card": b"checkout.session.completed", "omise.card": b"charge.complete", "razorpay.checkout": b"payment.",
}  # fmt: skip
WAYS = ("stripe.card", "omise.card", "razorpay.checkout")


@pytest.fixture
def receipt(alice: Any) -> Receipt:
    return new_receipt()


def in_threads(calls: list[tuple[str, bytes, dict[str, str]]]) -> set[int]:
    def send(call: tuple[str, bytes, dict[str, str]]) -> int:
        try:
            return int(post_call(*call).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS if connection.vendor == "postgresql" else 4) as pool:
        return set(pool.map(send, calls))


def paid_moves() -> int:
    return AuditLog.objects.filter(action="payment_succeeded").count()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("way", WAYS)
def test_a_storm_of_doubled_and_shuffled_calls_pays_once(
    fakes: Providers, receipt: Receipt, way: str, seed: int
) -> None:
    rig: Any = RIGS[way](fakes)
    payment = rig.start(receipt)
    if way != "omise.card":
        rig.decline(payment)
    rig.pay(payment)
    true = rig.calls()
    dice = random.Random(seed)
    calls = [dice.choice(true) for _number in range(CALLS - len(true))] + true
    dice.shuffle(calls)
    assert in_threads(calls) == {200}
    more = rig.calls()  # what capturing told
    assert in_threads(more * 3) <= {200}
    assert states(payment) == ("succeeded", "paid")
    assert paid_moves() == 1
    assert rig.fake.money()["captured"] == 8000
    assert PaymentEvent.objects.exclude(outcome__in=("processed", "ignored")).count() == 0
    assert_books()


@pytest.mark.forged("the same payment is taken back to its beginning for each order")
@pytest.mark.django_db
@pytest.mark.parametrize("way", WAYS)
def test_every_order_of_the_events_of_one_payment_ends_the_same(fakes: Providers, receipt: Receipt, way: str) -> None:
    """Paid, a part given back at the provider, a dispute opened and won: five events in any order, one end."""
    rig: Any = RIGS[way](fakes)
    payment = rig.start(receipt)
    rig.pay(payment)
    if way == "razorpay.checkout":
        rig.deliver()  # capturing is ours; the rest is told in any order
    charge = (
        rig.charge(payment)
        or rig.fake.objects("charges")[-1].get("payment_intent")
        or rig.fake.objects("charges")[-1]["id"]
    )
    rig.fake.refund_in_dashboard(charge, 3000)
    dispute = rig.fake.open_dispute(charge, 5000)
    rig.fake.close_dispute(dispute, won=True)
    told = rig.calls()
    calls = [next(call for call in told if PAID[way] in call[1]), *told[-4:]]
    before = {field.attname: getattr(payment, field.attname) for field in Payment._meta.concrete_fields}
    orders = list(itertools.permutations(range(len(calls))))
    random.Random(3).shuffle(orders)
    ends = set()
    for order in orders[:ORDERS]:
        PaymentEvent.objects.all().delete()
        Refund.objects.all().delete()
        payment.disputes.all().delete()
        if way != "razorpay.checkout":
            Receipt.objects.filter(pk=receipt.pk).update(status="pending", paid_at=None, method="", tx_ref="")
            Payment.objects.filter(pk=payment.pk).update(**before)
        else:
            Payment.objects.filter(pk=payment.pk).update(refunded_cents=0)
        assert {post_call(*calls[index]).status_code for index in order} == {200}
        payment.refresh_from_db()
        refunds = tuple(payment.refunds.values_list("amount_cents", "status", "origin"))
        disputes = tuple(payment.disputes.values_list("amount_cents", "status"))
        ends.add((states(payment), payment.captured_cents, payment.refunded_cents, refunds, disputes))
    assert ends == {(("succeeded", "paid"), 8000, 3000, ((3000, "succeeded", "provider"),), ((5000, "won"),))}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS)
def test_partial_refunds_at_once_never_give_back_more_than_came_in(
    fakes: Providers, receipt: Receipt, way: str
) -> None:
    """Fifty people give back parts that are three times the payment in sum."""
    rig: Any = RIGS[way](fakes)
    payment = rig.start(receipt)
    rig.pay(payment)
    rig.deliver()
    payment.refresh_from_db()

    def give_back(_number: int) -> bool:
        try:
            refund_payment(actor=FINANCE, payment=payment, amount_minor=480, reason="race")
        except BadInput:
            return False
        return True

    done = at_once(50 if connection.vendor == "postgresql" else 20, give_back)
    assert sum(done) == 8000 // 480
    assert rig.fake.money()["refunded"] == 480 * (8000 // 480)
    payment.refresh_from_db()
    assert payment.refunded_cents == rig.fake.money()["refunded"]
    assert_books()


@pytest.mark.django_db
@pytest.mark.parametrize("way", WAYS)
def test_with_every_call_lost_one_run_finds_all_payments(fakes: Providers, alice: Any, way: str) -> None:
    rig: Any = RIGS[way](fakes)
    number = int(os.environ.get("LOST", "12"))
    payments = []
    for _each in range(number):
        payment = rig.start(new_receipt())
        rig.pay(payment)
        payments.append(payment)
    rig.calls()
    result = sync_open()
    assert (result.changed, result.errors) == (number, [])
    assert {states(payment) for payment in payments} == {("succeeded", "paid")}
