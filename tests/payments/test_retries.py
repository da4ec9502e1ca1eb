"""Payments that failed: a new checkout after 24, 48 and 96 hours, then both sides are told that it is over."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from audit.models import AuditLog
from billing.models import Receipt
from billing.services.receipts import mark_paid, void_receipt
from core.context import Actor
from core.errors import BadInput, Conflict
from payments.models import Payment, PaymentAttempt
from payments.services.retries import retry_due, retry_payment, set_retries
from payments.services.schedule import pause
from tests.fakes.providers import Providers
from tests.payments.conformance.test_paying import assert_books, states
from tests.payments.rigs import RIGS, new_receipt
from tests.races import at_once

pytestmark = pytest.mark.django_db
FIN = Actor("fin")


@pytest.fixture
def receipt(alice: Any) -> Receipt:
    return new_receipt()


@pytest.fixture
def rig(fakes: Providers) -> Any:
    return RIGS["omise.promptpay"](fakes)


@pytest.fixture
def failed(rig: Any, receipt: Receipt) -> Payment:
    payment: Payment = rig.start(receipt)
    rig.decline(payment)
    rig.deliver()
    payment.refresh_from_db()
    assert payment.status == "failed"
    return payment


def later(hours: float) -> Any:
    return time_machine.travel(timezone.now() + timedelta(hours=hours), tick=True)


def test_the_three_retries_come_after_24_48_and_96_hours(rig: Any, receipt: Receipt, failed: Payment) -> None:
    waited = []
    payment, clock = failed, timezone.now()
    for _number in range(3):
        assert payment.next_retry_at is not None
        waited.append(round((payment.next_retry_at - clock).total_seconds() / 3600))
        clock = payment.next_retry_at + timedelta(minutes=1)
        with time_machine.travel(clock, tick=True):
            assert retry_due(now=clock - timedelta(minutes=2)) == {}, "not before its time"
            assert retry_due() == {"opened": 1}
            payment = Payment.objects.latest("pk")
            assert (payment.status, payment.retry_of_id) == ("pending", payment.pk - 1)
            rig.decline(payment)
            rig.deliver()
            payment.refresh_from_db()
            clock = timezone.now()
    assert waited == [24, 48, 96]
    assert payment.gave_up_at is not None
    assert payment.next_retry_at is None
    assert retry_due(now=clock + timedelta(days=365)) == {}
    assert PaymentAttempt.objects.count() == 3
    assert AuditLog.objects.filter(action="payment_given_up").count() == 1
    assert_books()


def test_the_payer_reads_that_it_failed_that_there_is_a_new_one_and_that_it_is_over(
    client: Any, receipt: Receipt, failed: Payment
) -> None:
    client.force_login(receipt.user)
    page = receipt.get_absolute_url()
    assert b"Your last payment failed" in client.get(page).content
    with later(25):
        retry_due()
        client.force_login(receipt.user)
        assert b"We have opened a new one" in client.get(page).content
    Payment.objects.filter(receipt=receipt).update(status="failed", gave_up_at=timezone.now())
    client.force_login(receipt.user)
    assert b"we have stopped trying" in client.get(page).content


def test_a_retry_that_is_paid_settles_the_receipt(rig: Any, receipt: Receipt, failed: Payment) -> None:
    with later(25):
        retry_due()
        second = Payment.objects.latest("pk")
        rig.pay(second)
        rig.deliver()
    assert states(second) == ("succeeded", "paid")
    assert states(failed) == ("failed", "paid")
    assert_books()


def test_money_that_came_after_all_is_found_and_nothing_new_is_opened(rig: Any, failed: Payment) -> None:
    rig.fake.charges[failed.external_payment_id]["status"] = "pending"
    rig.pay(failed)
    rig.calls()  # lost
    with later(25):
        assert retry_due() == {"settled": 1}
    assert states(failed) == ("succeeded", "paid")
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("how", ["paid", "void", "another attempt"])
def test_nothing_is_tried_when_nobody_waits_for_it(rig: Any, receipt: Receipt, failed: Payment, how: str) -> None:
    if how == "paid":
        mark_paid(actor=FIN, receipt=receipt, method="manual", tx_ref="cash")
    elif how == "void":
        void_receipt(actor=FIN, receipt=receipt, reason="wrong")
    else:
        rig.start(receipt)
        failed.refresh_from_db()
        assert failed.next_retry_at is None, "the payer has taken it up"
        return
    with later(25):
        assert retry_due() == {"not_needed": 1}
    assert Payment.objects.count() == 1


def test_a_provider_that_is_down_costs_no_try(rig: Any, failed: Payment) -> None:
    rig.fake.faults.plan("GET", "/", "503", times=5)
    with later(25):
        assert retry_due() == {"unreachable": 1}
        rig.fake.faults.clear()
        assert retry_due() == {"opened": 1}


def test_a_way_to_pay_that_is_no_more_is_given_up(failed: Payment, settings: Any) -> None:
    settings.OMISE_METHODS = ["card"]
    with later(25):
        assert retry_due() == {"refused": 1}
    failed.refresh_from_db()
    assert failed.gave_up_at is not None


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_open_one_checkout(failed: Payment) -> None:
    with later(25):
        at_once(4, lambda _n: retry_due())
    assert Payment.objects.count() == 2


def test_each_payment_may_have_its_own_number_of_retries(rig: Any, failed: Payment) -> None:
    set_retries(actor=FIN, payment=failed, max_retries=0)
    failed.refresh_from_db()
    assert (failed.next_retry_at, failed.gave_up_at is not None) == (None, True)
    set_retries(actor=FIN, payment=failed, max_retries=5)
    failed.refresh_from_db()
    assert (failed.next_retry_at is not None, failed.gave_up_at) == (True, None)
    for number in (-1, 31):
        with pytest.raises(BadInput):
            set_retries(actor=FIN, payment=failed, max_retries=number)
    assert [pause(number) for number in range(6)] == [24, 48, 96, 192, 384, 672]


def test_only_what_has_failed_is_tried_again(rig: Any, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    with pytest.raises(Conflict):
        retry_payment(actor=FIN, payment=payment)
    rig.pay(payment)
    rig.deliver()
    payment.refresh_from_db()
    with pytest.raises(Conflict):
        set_retries(actor=FIN, payment=payment, max_retries=2)


def test_the_command_counts_and_a_dry_run_changes_nothing(failed: Payment, capsys: Any) -> None:
    with later(25):
        call_command("retry_payments", "--dry-run", "--format", "json")
        assert json.loads(capsys.readouterr().out) == {"due": 1, "scheduled": 1}
        call_command("retry_payments", "--format", "json")
        answer = json.loads(capsys.readouterr().out)
    assert (answer["opened"], answer["unreachable"], answer["scheduled"]) == (1, 0, 0)
