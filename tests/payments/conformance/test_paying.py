"""What every provider must do while money comes in. One list, run for each way to pay."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.core.management import call_command

from audit import chain
from audit.models import AuditLog
from billing.models import Receipt
from billing.selectors.journal import differences
from billing.services.ledger.journal import post_journal
from billing.services.receipts import mark_paid, void_receipt
from core.context import Actor
from hpcbilling import books
from payments.models import Payment, PaymentEvent
from payments.services.checkout import NotPayable
from payments.services.reconciliation import sync_open
from tests.payments.rigs import FINANCE, RIGS, Rig, post_call, rigs_that_can

pytestmark = pytest.mark.django_db


def every(*needs: str) -> Any:
    return pytest.mark.parametrize("rig", rigs_that_can(*needs), indirect=True)


def states(payment: Payment) -> tuple[str, str]:
    payment.refresh_from_db()
    return payment.status, Receipt.objects.get(pk=payment.receipt_id).status


def assert_books() -> None:
    post_journal(actor=FINANCE)  # of what has changed; whatever that missed differs below
    assert list(differences()) == []
    found = {name: check() for name, check in books.INVARIANTS.items()}
    assert not any(found.values()), found


def assert_that_nobody_pays(rig: Any, payment: Payment) -> None:
    """Its checkout is closed at the provider; where none can be closed, its payer only authorises."""
    if rig.closes:
        with pytest.raises((ValueError, KeyError)):
            rig.pay(payment)
        return
    rig.pay(payment)
    rig.deliver()
    assert rig.fake.money()["captured"] == 0


def paid_moves() -> int:
    return AuditLog.objects.filter(action="payment_succeeded").count()


@every()
def test_money_that_fits_pays_the_receipt_once(rig: Rig, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.pay(payment)
    assert set(rig.deliver()) == {200}
    assert states(payment) == ("succeeded", "paid")
    assert (payment.captured_cents, payment.refunded_cents) == (8000, 0)
    receipt.refresh_from_db()
    assert (receipt.method, receipt.tx_ref) == (rig.name, payment.external_charge_id or payment.external_payment_id)
    assert paid_moves() == 1
    assert chain.verify().ok
    assert_books()


@every("calls")
def test_settling_costs_few_statements_whoever_calls(
    rig: Any, receipt: Receipt, django_assert_max_num_queries: Any
) -> None:
    """A call is answered while the provider waits, and many come at once: what is held and known is not read again."""
    rig.pay(rig.start(receipt))
    (last,) = rig.calls()[-1:]
    steps = 1 if rig.captures else 2  # it authorises, and we capture
    with django_assert_max_num_queries(10 + 20 * steps):
        assert post_call(*last).status_code == 200
    assert Receipt.objects.get(pk=receipt.pk).status == "paid"


@every()
def test_a_second_click_finds_the_same_checkout(rig: Rig, receipt: Receipt) -> None:
    first, second = rig.start(receipt), rig.start(receipt)
    assert first.pk == second.pk
    assert first.external_payment_id == second.external_payment_id != ""


@every("record")
def test_with_every_call_lost_one_reconciliation_finds_the_money(rig: Any, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.pay(payment)
    rig.calls()  # dropped
    result = sync_open()
    assert (result.changed, result.errors) == (1, [])
    assert states(payment) == ("succeeded", "paid")
    assert sync_open().changed == 0, "a second run changes nothing"
    assert_books()


@every("record")
def test_the_page_after_paying_says_what_is_true_without_any_call(rig: Any, receipt: Receipt, client: Any) -> None:
    payment = rig.start(receipt)
    client.force_login(receipt.user)
    assert b"Waiting for confirmation" in client.get(f"/payments/thanks?rid={receipt.pk}").content
    rig.pay(payment)
    Payment.objects.update(checked_at=None)
    assert b"it is paid" in client.get(f"/payments/thanks?rid={receipt.pk}").content
    assert states(payment) == ("succeeded", "paid")


@every("calls")
def test_repeated_and_shuffled_calls_pay_once_and_are_all_answered_2xx(rig: Any, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.pay(payment)
    calls = rig.calls() * 5
    random.Random(7).shuffle(calls)
    assert {post_call(*call).status_code for call in calls} == {200}
    assert states(payment) == ("succeeded", "paid")
    assert paid_moves() == 1
    assert PaymentEvent.objects.filter(outcome__in=("failed", "mismatch")).count() == 0


@every("fails")
def test_a_payment_that_fails_leaves_the_receipt_open_and_is_tried_again(rig: Any, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.fail(payment)
    rig.deliver()
    assert states(payment) == ("failed", "pending")
    assert payment.next_retry_at is not None
    second = rig.start(receipt)
    assert second.pk != payment.pk
    rig.pay(second)
    rig.deliver()
    assert states(second) == ("succeeded", "paid")
    assert_books()


@every("outside", "retry on the same page")
def test_a_declined_try_may_be_followed_by_a_good_one_on_the_same_page(rig: Any, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.decline(payment)
    rig.deliver()
    assert states(payment)[1] == "pending"
    rig.pay(payment)
    rig.deliver()
    assert states(payment) == ("succeeded", "paid")


@every("expires")
def test_an_expired_checkout_ends_the_attempt_and_frees_the_next(rig: Any, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.expire(payment)
    rig.deliver()
    assert states(payment) == ("canceled", "pending")
    assert rig.start(receipt).pk != payment.pk


@every("outside")
def test_another_way_to_pay_closes_the_first_checkout_at_its_provider(rig: Any, receipt: Receipt, fakes: Any) -> None:
    first = rig.start(receipt)
    other = RIGS["manual.transfer"](fakes).start(receipt)
    first.refresh_from_db()
    assert (first.status, other.status) == ("canceled", "pending")
    assert_that_nobody_pays(rig, first)
    assert states(first) == ("canceled", "pending")


@every("outside")
def test_a_checkout_that_was_paid_a_moment_ago_cannot_be_replaced(rig: Any, receipt: Receipt, fakes: Any) -> None:
    payment = rig.start(receipt)
    rig.pay(payment)
    with pytest.raises(NotPayable):
        RIGS["manual.transfer"](fakes).start(receipt)
    assert states(payment) == ("succeeded", "paid")


@pytest.mark.parametrize("change", [{"amount": 8001}, {"amount": 7999}, {"amount": 800000}, {"amount": 80}])
@every("wrong money")
def test_another_amount_never_pays_and_waits_for_review(rig: Rig, receipt: Receipt, change: dict[str, int]) -> None:
    payment = rig.start(receipt)
    rig.pay(payment, **change)
    assert set(rig.deliver()) == {200}
    if not rig.captures:  # never taken: it goes back to the payer by itself
        assert states(payment) == ("pending", "pending")
        return
    assert states(payment) == ("needs_review", "pending")
    assert "amount" in payment.review_reason
    assert payment.captured_cents == change["amount"]
    with pytest.raises(NotPayable):
        rig.start(receipt)
    assert_books()


@every("wrong money", "record")
def test_a_record_with_an_amount_that_no_column_holds_is_no_record_and_says_why(rig: Any, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.pay(payment, amount=10**30)
    assert set(rig.deliver()) == {200}
    assert states(payment) == ("pending", "pending")
    event = PaymentEvent.objects.order_by("-id")[0]
    assert event.outcome == "failed"
    assert "larger than any that we can hold" in event.detail
    (error,) = sync_open().errors
    assert "larger than any that we can hold" in error


@every("wrong money")
def test_another_currency_never_pays(rig: Rig, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.pay(payment, currency="JPY")
    rig.deliver()
    assert states(payment)[1] == "pending"
    assert payment.captured_cents == 0


@every("wrong money", "reference")
def test_a_record_with_another_reference_never_pays(rig: Rig, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.pay(payment, reference="0" * 32)
    rig.deliver()
    assert states(payment)[1] == "pending"


@every("outside", "mode")
def test_real_money_for_a_test_checkout_never_pays(rig: Rig, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.pay(payment, live=True)
    rig.deliver()
    assert states(payment) == ("needs_review", "pending")
    assert "mode" in payment.review_reason


@every()
def test_money_for_a_void_receipt_is_kept_for_review_and_can_be_given_back(rig: Rig, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    void_receipt(actor=Actor("fin"), receipt=receipt, reason="wrong window")
    rig.pay(payment)
    rig.deliver()
    if not rig.captures:
        assert rig.fake.money()["captured"] == 0, "not taken: it goes back to the payer"  # type: ignore[attr-defined]
        return
    assert states(payment) == ("needs_review", "void")
    assert payment.refundable_cents == 8000


@every()
def test_money_for_a_receipt_that_was_paid_otherwise_is_kept_for_review(rig: Rig, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="cash 7")
    rig.pay(payment)
    rig.deliver()
    assert states(payment)[1] == "paid"
    assert states(payment)[0] in ("needs_review", "pending")
    assert paid_moves() == 0


@every("late")
def test_money_that_came_after_the_attempt_had_ended_still_pays(rig: Rig, receipt: Receipt) -> None:
    """A provider may report a success after a decline or an expiry that it told us of first."""
    payment = rig.start(receipt)
    Payment.objects.filter(pk=payment.pk).update(status="failed")
    rig.pay(payment)
    rig.deliver()
    assert states(payment) == ("succeeded", "paid")


@every("record")
def test_open_attempts_of_a_paid_receipt_are_closed_by_reconciliation(rig: Any, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="cash 7")
    result = sync_open()
    assert (result.closed, result.errors) == (1, [])
    assert states(payment) == ("canceled", "paid")


@every("record")
def test_the_days_of_provider_and_books_agree(rig: Any, receipt: Receipt, capsys: Any) -> None:
    payment = rig.start(receipt)
    rig.pay(payment)
    rig.calls()
    call_command("reconcile_payments", "--provider", rig.name)
    assert "difference 0" in capsys.readouterr().out
    payment.refresh_from_db()
    assert payment.reconciled_at is not None
