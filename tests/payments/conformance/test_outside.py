"""The provider is silent, breaks off or answers nonsense: nothing is paid twice, nothing is lost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from billing.models import Receipt
from core.context import Actor
from payments.models import Payment, PaymentEvent, Refund
from payments.providers import rest
from payments.providers.errors import AmountNotAccepted, ProviderError
from payments.providers.stripe import provider as stripe
from payments.services.checkout import StillAsking, start_payment
from payments.services.reconciliation import sync_open
from payments.services.refunds import refund_payment
from payments.services.webhooks import process_pending
from tests.fakes.providers.faults import AFTER, BEFORE
from tests.payments.conformance.test_paying import assert_books, assert_that_nobody_pays, every, states
from tests.payments.rigs import FINANCE, RIGS
from tests.races import at_once

pytestmark = pytest.mark.django_db
FAULTS = [kind for kind in (*BEFORE, *AFTER) if kind != "html_200"]


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch, fakes: Any) -> None:
    """Real timeouts, shorter."""
    monkeypatch.setattr(rest, "TIMEOUT", (1, 1))
    monkeypatch.setattr(stripe, "TIMEOUT", (1, 1))
    for fake in fakes.all.values():
        fake.faults.hold = 3.0


def let_the_lease_pass() -> None:
    long_ago = timezone.now() - timedelta(minutes=1)
    Payment.objects.filter(asked_at__isnull=False).update(asked_at=long_ago)
    Refund.objects.filter(asked_at__isnull=False).update(asked_at=long_ago)


@pytest.mark.parametrize("kind", [*BEFORE, *AFTER])
@every("outside")
def test_whatever_breaks_while_a_checkout_is_opened_there_is_one_in_the_end(
    rig: Any, receipt: Receipt, kind: str
) -> None:
    rig.fake.faults.plan(*rig.creates, kind)
    with pytest.raises(ProviderError):
        rig.start(receipt)
    payment = Payment.objects.get()
    assert (payment.outcome_unknown, payment.status) == (True, "pending")
    let_the_lease_pass()
    again = rig.start(receipt)
    assert again.pk == payment.pk
    assert len(rig.fake.objects("checkouts")) == 1, "one checkout, however often we asked"
    rig.pay(again)
    rig.deliver()
    assert states(again) == ("succeeded", "paid")


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
@every("outside")
def test_while_nobody_knows_no_other_way_to_pay_is_begun(rig: Any, receipt: Receipt, kind: str) -> None:
    """What was opened all the same is found and closed first; what may still appear is waited for."""
    rig.fake.faults.plan(*rig.creates, kind)
    with pytest.raises(ProviderError):
        rig.start(receipt)
    other = RIGS["manual.transfer"](rig.fakes)
    if kind == "reset_before":
        with pytest.raises(StillAsking):
            other.start(receipt)
        assert Payment.objects.count() == 1
        return
    other.start(receipt)
    first = Payment.objects.get(provider=rig.name)
    assert first.status == "canceled"
    assert_that_nobody_pays(rig, first)


@every("outside")
def test_a_lost_reply_and_five_impatient_clicks_make_one_checkout(rig: Any, receipt: Receipt) -> None:
    rig.fake.faults.plan(*rig.creates, "reset_after")
    with pytest.raises(ProviderError):
        rig.start(receipt)
    let_the_lease_pass()
    payments = [rig.start(receipt) for _click in range(5)]
    assert len({payment.pk for payment in payments}) == 1
    assert len(rig.fake.objects("checkouts")) == 1
    rig.pay(payments[0])
    rig.deliver()
    assert rig.fake.money()["captured"] == 8000
    assert_books()


@every("outside")
def test_reconciliation_finds_the_checkout_whose_reply_was_lost_and_its_money(rig: Any, receipt: Receipt) -> None:
    rig.fake.faults.plan(*rig.creates, "reset_after")
    with pytest.raises(ProviderError):
        rig.start(receipt)
    made = rig.fake.objects("checkouts")[0]["id"]
    rig.fake.pay(made)
    rig.calls()  # lost as well
    result = sync_open()
    assert (result.found, result.errors) == (1, [])
    assert states(Payment.objects.get()) == ("succeeded", "paid")


@every("outside")
def test_a_checkout_that_was_never_made_is_given_up_after_a_while(rig: Any, receipt: Receipt) -> None:
    rig.fake.faults.plan(*rig.creates, "reset_before")
    with pytest.raises(ProviderError):
        rig.start(receipt)
    assert sync_open().closed == 0, "it may still appear"
    Payment.objects.update(asked_at=timezone.now() - timedelta(minutes=11))
    assert sync_open().closed == 1
    assert states(Payment.objects.get()) == ("canceled", "pending")


@pytest.mark.parametrize("kind", FAULTS)
@every("outside", "api refund")
def test_whatever_breaks_during_a_refund_it_is_given_back_once(rig: Any, receipt: Receipt, kind: str) -> None:
    payment = rig.start(receipt)
    rig.pay(payment)
    rig.deliver()
    payment.refresh_from_db()
    rig.fake.faults.plan("POST", rig.refunds, kind)
    with pytest.raises(ProviderError):
        refund_payment(actor=FINANCE, payment=payment, amount_minor=3000, reason="cooling failure")
    refund = Refund.objects.get()
    assert refund.status == "requested", "reserved, and nobody knows"
    payment.refresh_from_db()
    assert payment.refunded_cents == 3000, "its money cannot be promised twice meanwhile"
    let_the_lease_pass()
    result = sync_open()
    rig.end_refunds()  # where they are slow
    sync_open()
    refund.refresh_from_db()
    assert refund.status == "succeeded", result.errors
    assert rig.fake.money()["refunded"] == 3000
    sync_open()
    assert Refund.objects.count() == 1
    assert_books()


@every("outside")
def test_when_the_record_cannot_be_read_the_call_is_kept_and_worked_on_later(rig: Any, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.pay(payment)
    rig.fake.faults.plan("GET", "/", "503", times=100)
    assert set(rig.deliver()) == {200}, "it is stored: the provider need not call again"
    assert states(payment) == ("pending", "pending")
    assert PaymentEvent.objects.filter(outcome="failed").exists()
    rig.fake.faults.clear()
    assert process_pending() == {}, "not yet"
    PaymentEvent.objects.filter(outcome="failed").update(next_try_at=timezone.now())
    process_pending()
    assert states(payment) == ("succeeded", "paid")
    assert not PaymentEvent.objects.filter(outcome="failed").exists()


@every("outside")
def test_a_provider_that_is_down_is_a_clear_page_and_nothing_more(rig: Any, receipt: Receipt, client: Any) -> None:
    client.force_login(receipt.user)
    rig.fake.faults.plan("POST", "/", "503", times=5)
    answer = client.post(f"/payments/receipt/{receipt.pk}/start", {"way": f"{rig.name}.{rig.method}"})
    assert answer.status_code == 503
    assert b"Nothing was charged" in answer.content
    receipt.refresh_from_db()
    assert receipt.status == "pending"


@every("record")
def test_too_little_is_refused_with_words_and_other_ways(
    rig: Any, receipt: Receipt, client: Any, settings: Any
) -> None:
    settings.PAYMENT_LIMITS = {rig.name: {"THB": (Decimal(100), Decimal(200))}}
    with pytest.raises(AmountNotAccepted, match="100"):
        rig.start(receipt)
    assert Payment.objects.count() == 0
    client.force_login(receipt.user)
    answer = client.post(f"/payments/receipt/{receipt.pk}/start", {"way": f"{rig.name}.{rig.method}"})
    assert answer.status_code == 409
    assert b"manual.transfer" in answer.content
    assert f"{rig.name}.{rig.method}".encode() not in answer.content


@pytest.mark.forged("a total that only the provider refuses")
@pytest.mark.parametrize("rig", ["stripe.card", "omise.promptpay"], indirect=True)
def test_what_the_provider_itself_refuses_ends_the_attempt_with_its_reason(
    rig: Any, receipt: Receipt, settings: Any
) -> None:
    settings.PAYMENT_LIMITS = {rig.name: {"THB": (Decimal("0.01"), Decimal(10**6))}}
    Receipt.objects.filter(pk=receipt.pk).update(total="5.00")
    receipt.refresh_from_db()
    with pytest.raises(AmountNotAccepted):
        rig.start(receipt)
    assert Payment.objects.get().status == "canceled"
    assert Payment.objects.get().failure


@every("outside")
def test_ten_requests_at_once_open_one_checkout(rig: Any, receipt: Receipt, transactional_db: None) -> None:
    payments = at_once(
        10,
        lambda _n: start_payment(actor=Actor("alice"), receipt=receipt, provider_name=rig.name, method_name=rig.method),
    )
    assert len({payment.external_payment_id for payment in payments}) == 1
    assert len(rig.fake.objects("checkouts")) == 1
