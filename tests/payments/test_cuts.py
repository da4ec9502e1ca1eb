"""The database connection dies before any one statement: no half state is left, and a repeat ends well.

``CUT_EVERY``: of so many statements one is cut at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection, connections
from django.test import Client
from django.utils import timezone

from accounts.models import User
from payments import selectors
from payments.models import Payment, PaymentEvent, Refund
from payments.services.reconciliation import sync_open
from payments.services.refunds import refund_payment
from payments.services.webhooks import process_pending
from tests.fakes.providers import Providers
from tests.faults.seeds import dice, times
from tests.payments.conformance.test_paying import assert_books, states
from tests.payments.rigs import FINANCE, RIGS, new_receipt

pytestmark = pytest.mark.django_db(transaction=True)
MOST = 200  # statements; far more than any of these operations makes
EVERY = times("CUT_EVERY", 3)


def places(what: str) -> range:
    """Numbers of statements, until the test is through with them; each run begins somewhere else."""
    return range(dice(f"cuts of {what}").randrange(EVERY) + 1, MOST, EVERY)


class Cut:
    """Kills this connection's server process (PostgreSQL) or the statement (SQLite) before statement ``at``."""

    def __init__(self, at: int) -> None:
        self.left, self.happened = at, False

    def __call__(self, execute: Any, statement: str, parameters: Any, many: bool, context: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            self.happened = True
            if connection.vendor != "postgresql":
                raise OperationalError("the connection is gone")
            _kill(connection.connection.info.backend_pid)
        return execute(statement, parameters, many, context)


def _kill(pid: int) -> None:
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    finally:
        other.close()


@contextmanager
def cut_at(number: int) -> Iterator[Cut]:
    cut = Cut(number)
    with connection.execute_wrapper(cut):
        yield cut
    connection.close()


def call(provider: str, body: bytes, headers: dict[str, str]) -> int:
    client = Client(raise_request_exception=False)
    answer = client.post(f"/payments/webhooks/{provider}/", body, content_type="application/json", headers=headers)
    return int(answer.status_code)


def release_leases() -> None:
    long_ago = timezone.now() - timedelta(minutes=5)
    Payment.objects.filter(asked_at__isnull=False).update(asked_at=long_ago)
    Refund.objects.filter(asked_at__isnull=False).update(asked_at=long_ago)
    PaymentEvent.objects.filter(next_try_at__isnull=False).update(next_try_at=long_ago)


@pytest.mark.parametrize("way", ["stripe.card", "razorpay.checkout", "dummy.page"])
def test_a_settlement_cut_at_any_statement(fakes: Providers, way: str) -> None:
    User.objects.get_or_create(username="alice")
    rig: Any = RIGS[way](fakes)
    for number in places(way):
        payment = rig.start(new_receipt())
        rig.pay(payment)
        told = rig.calls()[-1]
        with cut_at(number) as cut:
            status = call(*told)
        assert states(payment) in {("pending", "pending"), ("authorized", "pending"), ("succeeded", "paid")}
        assert_books()
        if not cut.happened:
            assert status == 200
            break
        call(*told)  # the provider calls again, or our own runner does
        release_leases()
        process_pending()
        assert states(payment) == ("succeeded", "paid"), f"cut before statement {number}"
        assert_books()
    else:
        pytest.fail("the settlement never ended")
    assert number > 15, "there were statements to cut at"


def test_a_refund_cut_at_any_statement(fakes: Providers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "REFUNDS_MOVE", timedelta(0))  # those before it are not asked about again
    User.objects.get_or_create(username="alice")
    rig: Any = RIGS["stripe.card"](fakes)
    given_back = 0
    for number in places("a refund"):
        payment = rig.start(new_receipt())
        rig.pay(payment)
        rig.deliver()
        payment.refresh_from_db()
        with cut_at(number) as cut:
            try:
                refund_payment(actor=FINANCE, payment=payment, amount_minor=8000, reason="cut")
            except DatabaseError:
                assert cut.happened
        assert_books()
        release_leases()
        assert sync_open().errors == []
        found = list(Refund.objects.filter(payment=payment).values_list("status", flat=True))
        assert found in ([], ["succeeded"]), f"cut before statement {number}"
        given_back += 8000 * len(found)
        assert rig.fake.money()["refunded"] == given_back, "once, or not at all"
        assert states(payment) == ("succeeded", "refunded" if found else "paid")
        assert_books()
        if not cut.happened:
            break
    else:
        pytest.fail("the refund never ended")
    assert number > 15


def test_a_checkout_cut_at_any_statement(fakes: Providers) -> None:
    User.objects.get_or_create(username="alice")
    rig: Any = RIGS["stripe.card"](fakes)
    for number in places("a checkout"):
        receipt = new_receipt()
        before = len(rig.fake.objects("checkouts"))
        with cut_at(number) as cut:
            try:
                rig.start(receipt)
            except DatabaseError:
                assert cut.happened
        release_leases()
        payment = rig.start(receipt)
        assert len(rig.fake.objects("checkouts")) == before + 1, f"cut before statement {number}"
        rig.pay(payment)
        rig.deliver()
        assert states(payment) == ("succeeded", "paid")
        if not cut.happened:
            break
    else:
        pytest.fail("the checkout never ended")
    assert_books()
