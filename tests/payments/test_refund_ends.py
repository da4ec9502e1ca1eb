"""Refunds that end in a way nobody wished for, and disputes: the money stays in sight and can be given back."""

from __future__ import annotations

from typing import Any

import pytest

from billing.models import Receipt
from billing.services.receipts import void_receipt
from core.errors import BadInput
from payments import attention
from payments.models import Dispute, Payment, Refund
from payments.providers import rest
from payments.providers.errors import ProviderError, Refused
from payments.providers.stripe.provider import StripeProvider
from payments.services.reconciliation import sync_open
from payments.services.refunds import NotRefundable, confirm_refund, refund_payment
from tests.fakes.providers import Providers
from tests.payments.conformance.test_outside import let_the_lease_pass
from tests.payments.conformance.test_paying import assert_books, states
from tests.payments.rigs import FINANCE, RIGS, new_receipt

pytestmark = pytest.mark.django_db


@pytest.fixture
def receipt(alice: Any) -> Receipt:
    return new_receipt()


def pay(rig: Any, receipt: Receipt) -> Payment:
    payment: Payment = rig.start(receipt)
    rig.pay(payment)
    rig.deliver()
    payment.refresh_from_db()
    assert payment.status == "succeeded"
    return payment


def give_back(payment: Payment, amount: int) -> Refund:
    return refund_payment(actor=FINANCE, payment=payment, amount_minor=amount, reason="billed twice")


def credits() -> list[int]:
    return [payment.credit_cents for payment in Payment.objects.filter(attention.credits())]


def test_a_refund_that_fails_after_its_receipt_was_voided_is_money_to_look_at(
    fakes: Providers, receipt: Receipt
) -> None:
    rig: Any = RIGS["stripe.card"](fakes)
    payment = pay(rig, receipt)
    refund = give_back(payment, 8000)
    rig.deliver()
    void_receipt(actor=FINANCE, receipt=Receipt.objects.get(), reason="billed the wrong month")
    assert credits() == []
    fakes.stripe.finish_refund(refund.external_refund_id, succeeded=False)
    rig.deliver()
    assert Refund.objects.get().status == "failed"
    assert states(payment) == ("succeeded", "void")
    assert credits() == [8000]
    rig.deliver()
    give_back(payment, 8000)
    assert credits() == []
    assert_books()


def test_what_a_lost_dispute_took_is_no_credit(fakes: Providers, receipt: Receipt) -> None:
    rig: Any = RIGS["stripe.card"](fakes)
    payment = pay(rig, receipt)
    dispute = fakes.stripe.open_dispute(rig.charge(payment))
    fakes.stripe.close_dispute(dispute, won=False)
    rig.deliver()
    void_receipt(actor=FINANCE, receipt=Receipt.objects.get(), reason="never paid in the end")
    assert states(payment) == ("succeeded", "void")
    assert credits() == []


def test_after_a_partly_lost_dispute_the_rest_can_be_given_back(fakes: Providers, receipt: Receipt) -> None:
    rig: Any = RIGS["stripe.card"](fakes)
    payment = pay(rig, receipt)
    dispute = fakes.stripe.open_dispute(rig.charge(payment), 3000)
    rig.deliver()
    with pytest.raises(NotRefundable):
        give_back(payment, 1000)
    fakes.stripe.close_dispute(dispute, won=False)
    rig.deliver()
    with pytest.raises(BadInput, match=r"At most THB.50\.00"):
        give_back(payment, 5001)
    refund = give_back(payment, 5000)
    assert refund.by_hand is True, "the bank has charged it back: the provider refuses"
    confirm_refund(actor=FINANCE, refund=refund, note="SCB 4711")
    assert states(payment) == ("succeeded", "refunded")
    assert_books()


@pytest.mark.parametrize("way", ["stripe.card", "omise.card", "razorpay.checkout"])
def test_a_dispute_in_another_currency_is_about_all_of_the_money(fakes: Providers, receipt: Receipt, way: str) -> None:
    rig: Any = RIGS[way](fakes)
    payment = pay(rig, receipt)
    dispute = rig.fake.open_dispute(rig.charge(payment), 250)
    rig.fake.disputes[dispute]["currency"] = "usd"
    rig.deliver()
    assert Dispute.objects.get().amount_cents == 8000


def test_after_a_refund_that_the_provider_refused_finance_sends_the_next_by_hand(
    fakes: Providers, receipt: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = pay(RIGS["stripe.card"](fakes), receipt)

    def too_old(*_: Any) -> None:
        raise Refused("this charge is too old to be refunded")

    monkeypatch.setattr(StripeProvider, "refund", too_old)
    with pytest.raises(Refused):
        give_back(payment, 8000)
    again = give_back(payment, 8000)
    assert (again.by_hand, again.status) == (True, "requested")
    confirm_refund(actor=FINANCE, refund=again, note="SCB 4711")
    assert states(payment) == ("succeeded", "refunded")
    assert_books()


def test_money_of_a_way_that_is_not_offered_any_more_is_not_promised_back(
    fakes: Providers, receipt: Receipt, settings: Any
) -> None:
    payment = pay(RIGS["omise.promptpay"](fakes), receipt)
    settings.OMISE_METHODS = ["card"]
    Payment.objects.update(method="bank_scb")  # a source that somebody used on our link
    payment.refresh_from_db()
    assert give_back(payment, 1000).by_hand is False
    settings.OMISE_METHODS = ["promptpay", "card"]
    assert give_back(payment, 1000).by_hand is True


def test_a_link_that_is_paid_twice_still_shows_the_refunds_of_our_money(fakes: Providers, receipt: Receipt) -> None:
    rig: Any = RIGS["omise.card"](fakes)
    payment = pay(rig, receipt)
    ours = rig.charge(payment)
    link = fakes.omise.links[payment.external_payment_id]
    link["used"] = False
    link["multiple"] = True
    second = fakes.omise.pay(payment.external_payment_id)
    assert second != ours
    fakes.omise.refund_in_dashboard(ours, 3000)
    rig.calls()  # lost
    sync_open()
    payment.refresh_from_db()
    assert (payment.external_charge_id, payment.refunded_cents) == (ours, 3000)


@pytest.mark.parametrize("way", ["omise.promptpay", "razorpay.checkout"])
def test_an_answer_that_drips_is_given_up(
    fakes: Providers, receipt: Receipt, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(rest, "LONGEST", 1)
    rig: Any = RIGS[way](fakes)
    rig.fake.faults.plan(*rig.creates, "drip")
    with pytest.raises(ProviderError, match="does not end"):
        rig.start(receipt)
    let_the_lease_pass()
    payment = rig.start(receipt)
    assert len(rig.fake.objects("checkouts")) == 1
    rig.pay(payment)
    rig.deliver()
    assert states(payment) == ("succeeded", "paid")
