"""What every provider must do while money goes back: refunds, refunds that fail, disputes."""

from __future__ import annotations

from typing import Any

import pytest

from audit.models import AuditLog
from billing.models import Receipt
from billing.services.receipts import void_receipt
from core.context import Actor
from core.errors import BadInput
from payments.models import Dispute, Payment, Refund
from payments.services.reconciliation import sync_open
from payments.services.refunds import NotRefundable, cancel_refund, confirm_refund, refund_payment
from payments.services.sync import sync_payment
from tests.payments.conformance.test_paying import assert_books, every, states
from tests.payments.rigs import FINANCE, Rig

pytestmark = pytest.mark.django_db
refunding = every("outside", "api refund")


@pytest.fixture
def paid(rig: Rig, receipt: Receipt) -> Payment:
    payment = rig.start(receipt)
    rig.pay(payment)
    rig.deliver()
    payment.refresh_from_db()
    assert payment.status == "succeeded"
    return payment


def give_back(payment: Payment, amount: int, reason: str = "billed twice") -> Refund:
    return refund_payment(actor=FINANCE, payment=payment, amount_minor=amount, reason=reason)


@every("api refund")
def test_a_full_refund_makes_the_receipt_refunded(rig: Rig, paid: Payment) -> None:
    refund = give_back(paid, 8000)
    assert refund.by_hand is False
    rig.finish_refunds()
    assert states(paid) == ("succeeded", "refunded")
    assert paid.refunded_cents == 8000
    rig.deliver()  # the provider's own news of it change nothing
    assert Refund.objects.count() == 1
    assert states(paid) == ("succeeded", "refunded")
    actions = list(AuditLog.objects.order_by("id").values_list("action", flat=True))
    assert actions[-2:] == ["refund_succeeded", "receipt_refunded"]
    assert actions.count("refund_request") == 1
    assert_books()


@every("api refund")
def test_parts_may_be_given_back_until_nothing_is_left(rig: Rig, paid: Payment) -> None:
    give_back(paid, 3000)
    assert states(paid) == ("succeeded", "paid")
    give_back(paid, 4000)
    with pytest.raises(BadInput, match="At most"):
        give_back(paid, 1001)
    give_back(paid, 1000)
    rig.finish_refunds()
    assert states(paid) == ("succeeded", "refunded")
    assert_books()


@every("api refund")
def test_a_refunded_receipt_can_be_voided_and_its_jobs_billed_again(rig: Rig, paid: Payment) -> None:
    give_back(paid, 8000)
    rig.finish_refunds()
    receipt = Receipt.objects.get(pk=paid.receipt_id)
    void_receipt(actor=FINANCE, receipt=receipt, reason="billed the wrong month")
    assert states(paid) == ("succeeded", "void")
    assert_books()


@pytest.mark.parametrize("rig", ["manual.transfer", "omise.promptpay"], indirect=True)
def test_where_the_provider_gives_nothing_back_finance_does_it_by_hand(rig: Rig, paid: Payment) -> None:
    refund = give_back(paid, 8000)
    assert (refund.by_hand, refund.status) == (True, "requested")
    assert states(paid) == ("succeeded", "paid"), "nothing went back yet"
    sync_open()
    refund.refresh_from_db()
    assert refund.status == "requested", "no run sends it by itself"
    with pytest.raises(BadInput):
        confirm_refund(actor=FINANCE, refund=refund, note=" ")
    confirm_refund(actor=FINANCE, refund=refund, note="SCB 4711")
    assert states(paid) == ("succeeded", "refunded")
    with pytest.raises(NotRefundable):
        cancel_refund(actor=FINANCE, refund=refund, note="again")
    assert_books()


@pytest.mark.parametrize("rig", ["manual.transfer"], indirect=True)
def test_a_refund_by_hand_that_is_not_sent_frees_its_money(rig: Rig, paid: Payment) -> None:
    cancel_refund(actor=FINANCE, refund=give_back(paid, 8000), note="the payer changed their mind")
    paid.refresh_from_db()
    assert (paid.refunded_cents, states(paid)) == (0, ("succeeded", "paid"))
    give_back(paid, 8000)


@refunding
def test_a_slow_refund_counts_when_it_arrives_and_not_before(rig: Any, paid: Payment) -> None:
    rig.fake.refunds_pending = True
    refund = give_back(paid, 8000)
    assert refund.status == "pending"
    assert states(paid) == ("succeeded", "paid")
    with pytest.raises(BadInput):
        give_back(paid, 1)
    rig.fake.finish_refund(refund.external_refund_id, succeeded=True)
    rig.deliver()
    assert states(paid) == ("succeeded", "refunded")
    assert_books()


@refunding
def test_a_refund_that_fails_later_frees_its_money_and_the_receipt_is_paid_again(rig: Any, paid: Payment) -> None:
    rig.fake.refunds_pending = True
    refund = give_back(paid, 8000)
    rig.fake.finish_refund(refund.external_refund_id, succeeded=False)
    rig.deliver()
    refund.refresh_from_db()
    assert (refund.status, states(paid)) == ("failed", ("succeeded", "paid"))
    assert paid.refunded_cents == 0
    rig.fake.refunds_pending = False
    give_back(paid, 8000)
    rig.finish_refunds()
    assert states(paid) == ("succeeded", "refunded")
    assert_books()


@pytest.mark.parametrize("rig", ["stripe.card"], indirect=True)
def test_a_refund_that_had_succeeded_may_still_fail(rig: Any, paid: Payment) -> None:
    refund = give_back(paid, 8000)
    rig.fake.finish_refund(refund.external_refund_id, succeeded=False)
    rig.deliver()
    assert states(paid) == ("succeeded", "paid")
    assert paid.refunded_cents == 0
    assert_books()


@every("record")
def test_a_refund_made_at_the_provider_is_found_by_its_call(rig: Any, paid: Payment) -> None:
    rig.fake.refund_in_dashboard(rig.charge(paid), 3000)
    rig.finish_refunds()
    refund = Refund.objects.get()
    assert (refund.origin, refund.status, refund.amount_cents) == ("provider", "succeeded", 3000)
    assert states(paid) == ("succeeded", "paid")
    rig.fake.refund_in_dashboard(rig.charge(paid), 5000)
    rig.finish_refunds()
    assert states(paid) == ("succeeded", "refunded")
    assert_books()


@every("record")
def test_a_refund_made_at_the_provider_is_found_without_any_call(rig: Any, paid: Payment) -> None:
    rig.fake.refund_in_dashboard(rig.charge(paid), 8000)
    rig.end_refunds()
    rig.calls()
    assert sync_open().changed == 1
    assert states(paid) == ("succeeded", "refunded")


@every("record", "api refund")
def test_more_than_came_in_is_refused_by_us_and_by_them(rig: Any, paid: Payment) -> None:
    rig.fake.refund_in_dashboard(rig.charge(paid), 6000)
    rig.calls()  # we do not know of it yet
    with pytest.raises(Exception, match=r"refused|answer"):
        give_back(paid, 5000)
    sync_payment(paid)
    paid.refresh_from_db()
    assert paid.refunded_cents == 6000
    assert rig.fake.money()["refunded"] == 6000
    assert_books()


@every("record")
def test_a_dispute_freezes_refunds_and_a_lost_one_takes_the_money(rig: Any, paid: Payment) -> None:
    dispute = rig.fake.open_dispute(rig.charge(paid))
    rig.deliver()
    assert Dispute.objects.get().status == "open"
    assert states(paid) == ("succeeded", "paid")
    with pytest.raises(NotRefundable):
        give_back(paid, 100)
    rig.fake.close_dispute(dispute, won=False)
    rig.deliver()
    assert Dispute.objects.get().status == "lost"
    assert states(paid) == ("succeeded", "refunded")
    assert_books()


@every("record")
def test_a_dispute_that_is_won_changes_nothing(rig: Any, paid: Payment) -> None:
    dispute = rig.fake.open_dispute(rig.charge(paid))
    rig.calls()
    rig.fake.close_dispute(dispute, won=True)
    rig.calls()
    sync_open()
    assert Dispute.objects.get().status == "won"
    assert states(paid) == ("succeeded", "paid")
    give_back(paid, 8000)
    assert_books()


@pytest.mark.forged("a payment set back to pending")
@every()
def test_a_refund_needs_a_reason_money_and_a_sensible_amount(rig: Rig, paid: Payment) -> None:
    for amount in (0, -1, 8001):
        with pytest.raises(BadInput):
            give_back(paid, amount)
    with pytest.raises(BadInput):
        give_back(paid, 100, reason=" ")
    Payment.objects.filter(pk=paid.pk).update(status="pending")
    with pytest.raises(NotRefundable):
        give_back(paid, 100)
    assert Refund.objects.count() == 0


@every("api refund", "wrong money")
def test_money_in_review_that_is_all_given_back_is_no_case_any_more(rig: Rig, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.pay(payment, amount=7999)
    rig.deliver()
    if not rig.captures:
        return  # never taken
    assert states(payment) == ("needs_review", "pending")
    give_back(payment, 7999, "wrong amount")
    rig.finish_refunds()
    assert states(payment) == ("canceled", "pending")
    rig.deliver()
    sync_open()
    assert states(payment) == ("canceled", "pending"), "the provider's old news do not open the case again"
    assert rig.start(receipt).pk != payment.pk
    assert_books()


@every("api refund")
def test_a_refund_is_asked_for_once_however_often_it_is_sent(rig: Rig, paid: Payment) -> None:
    from payments.services.refunds import send_refund

    refund = give_back(paid, 1000)
    for _again in range(3):
        send_refund(actor=Actor("fin"), refund=refund)
    assert Refund.objects.count() == 1
    if rig.fakes is not None and rig.name in rig.fakes.all:
        assert rig.fakes.all[rig.name].money()["refunded"] == 1000  # type: ignore[attr-defined]
