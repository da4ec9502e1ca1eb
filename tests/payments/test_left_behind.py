"""What is left behind is picked up: messages of a provider that is gone, retries that met trouble, closed money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.context import Actor
from core.errors import BadInput, Misconfigured, Unavailable
from payments import providers
from payments.models import Payment, PaymentAttempt, PaymentEvent, ReconciliationDay, Refund
from payments.providers.errors import WebhookRejected
from payments.services import retries
from payments.services.checkout import StillAsking
from payments.services.reconciliation import compare_days
from payments.services.refunds import NotRefundable, cancel_refund, confirm_refund, refund_payment
from payments.services.retries import retry_due
from payments.services.review import close_payment
from payments.services.webhooks import process_pending, replay
from tests.payments.conftest import call
from tests.races import at_once

pytestmark = pytest.mark.django_db
FIN = Actor("fin")


def waiting(provider: str, event_id: str, **payload: Any) -> PaymentEvent:
    return PaymentEvent.objects.create(
        provider=provider, external_event_id=event_id, signature_ok=True, raw_payload=payload or {"x": 1},
        outcome="failed", next_try_at=timezone.now() - timedelta(minutes=1),
    )  # fmt: skip


@pytest.fixture
def failed(payment: Payment) -> Payment:
    """Its next retry is due."""
    call(payment, "payment.failed")
    Payment.objects.filter(pk=payment.pk).update(next_retry_at=timezone.now() - timedelta(minutes=1))
    payment.refresh_from_db()
    return payment


# --- messages ----------------------------------------------------------------
def test_a_message_of_a_provider_that_is_not_set_up_any_more_holds_up_no_other(payment: Payment, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = ""
    call(payment, event_id="evt_good")
    good = PaymentEvent.objects.get()
    gone, odd = waiting("stripe", "evt_gone"), waiting("dummy", "evt_odd")
    PaymentEvent.objects.filter(pk=good.pk).update(outcome="failed", next_try_at=timezone.now())
    assert process_pending() == {"failed": 2, "processed": 1}
    for row, words in ((gone, "STRIPE_SECRET_KEY"), (odd, "not an event of this provider")):
        row.refresh_from_db()
        assert (row.outcome, row.attempts) == ("failed", 1)
        assert words in row.detail
        assert row.next_try_at > timezone.now(), "it is tried again, later"


def test_a_message_without_its_content_is_not_replayed_and_stays_as_it_is(payment: Payment) -> None:
    call(payment)
    PaymentEvent.objects.update(raw_payload={})
    row = PaymentEvent.objects.get()
    with pytest.raises(WebhookRejected):
        replay(actor=FIN, event=row)
    row.refresh_from_db()
    assert (row.outcome, row.attempts) == ("processed", 1)


# --- retries -----------------------------------------------------------------
@pytest.mark.parametrize("trouble", [Misconfigured("x is not set"), StillAsking("busy"), Unavailable("no answer")])
def test_a_retry_that_meets_trouble_is_neither_lost_nor_given_up(
    failed: Payment, monkeypatch: Any, trouble: Exception
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise trouble

    monkeypatch.setattr(retries, "start_payment", broken)
    due = failed.next_retry_at
    assert retry_due() == {"unreachable": 1}
    failed.refresh_from_db()
    assert (failed.next_retry_at, failed.gave_up_at) == (due, None)
    assert PaymentAttempt.objects.get().detail == str(trouble)


def test_a_retry_whose_run_died_is_due_again_after_a_while(failed: Payment, monkeypatch: Any) -> None:
    def killed(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(retries, "start_payment", killed)
        retry_due()
    assert retry_due() == {}, "the run that died still holds it"
    assert retry_due(now=timezone.now() + retries.LEASE) == {"opened": 1}
    failed.refresh_from_db()
    assert failed.next_retry_at is None


def test_a_provider_that_is_gone_stops_no_other_retry(failed: Payment, monkeypatch: Any) -> None:
    def gone(payment: Payment, **kwargs: Any) -> None:
        raise Misconfigured("not set up")

    monkeypatch.setattr(retries, "sync_payment", gone)
    assert retry_due() == {"unreachable": 1}
    failed.refresh_from_db()
    assert failed.next_retry_at is not None


# --- refunds -----------------------------------------------------------------
def test_money_of_a_payment_that_finance_closed_can_be_given_back(payment: Payment) -> None:
    call(payment, amount=500)
    payment.refresh_from_db()
    close_payment(actor=FIN, payment=payment, note="too little")
    payment.refresh_from_db()
    assert (payment.status, payment.credit_cents) == ("canceled", 500)
    refund_payment(actor=FIN, payment=payment, amount_minor=500, reason="too little came")
    payment.refresh_from_db()
    assert (payment.refunded_cents, payment.credit_cents) == (500, 0)


def test_a_payment_without_money_has_nothing_to_give_back(failed: Payment) -> None:
    with pytest.raises(NotRefundable):
        refund_payment(actor=FIN, payment=failed, amount_minor=1, reason="x")


def test_a_decision_about_what_was_seen_is_refused_when_more_has_gone_back_since(payment: Payment) -> None:
    call(payment)
    payment.refresh_from_db()
    refund_payment(actor=FIN, payment=payment, amount_minor=300, reason="half", seen_minor=0)
    with pytest.raises(NotRefundable):
        refund_payment(actor=FIN, payment=payment, amount_minor=300, reason="half", seen_minor=0)
    with pytest.raises(BadInput):
        refund_payment(actor=FIN, payment=payment, amount_minor=501, reason="more than is left", seen_minor=300)
    assert Refund.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_clicks_on_a_part_one_gives_back(payment: Payment) -> None:
    call(payment)

    def click(_index: int) -> bool:
        try:
            row = Payment.objects.get(pk=payment.pk)
            refund_payment(actor=FIN, payment=row, amount_minor=100, reason="part", seen_minor=0)
        except NotRefundable:
            return False
        return True

    assert sorted(at_once(6, click)) == [False] * 5 + [True]


@pytest.mark.django_db(transaction=True)
def test_sent_and_not_sent_at_once_count_as_one_of_them(payment: Payment) -> None:
    call(payment)
    Payment.objects.update(external_charge_id="")  # nothing to ask the provider about: by hand
    payment.refresh_from_db()
    refund = refund_payment(actor=FIN, payment=payment, amount_minor=100, reason="part")
    assert refund.by_hand

    def decide(index: int) -> str:
        try:
            row = Refund.objects.get(pk=refund.pk)
            return (confirm_refund if index % 2 else cancel_refund)(actor=FIN, refund=row, note="n").status
        except NotRefundable:
            return ""

    ends = sorted(at_once(6, decide))
    refund.refresh_from_db()
    assert ends == [""] * 5 + [refund.status]


# --- reconciliation ----------------------------------------------------------
def test_a_provider_without_a_record_to_read_has_nothing_to_differ_from(payment: Payment) -> None:
    call(payment)
    today = timezone.localdate()
    assert compare_days(provider=providers.provider("dummy"), start=today - timedelta(days=1), end=today) == []
    assert not ReconciliationDay.objects.exists()
