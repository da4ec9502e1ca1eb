"""Paying on the web: own receipts only, one open attempt, the dummy's whole round."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditLog
from billing.models import Receipt
from billing.services.receipts import mark_paid
from core.context import Actor
from payments.models import Payment
from payments.services import checkout
from payments.services.checkout import NotPayable, StillAsking, start_payment
from tests.fakes.providers import Providers
from tests.payments.rigs import RIGS, new_receipt
from tests.races import at_once

pytestmark = pytest.mark.django_db


def test_the_whole_round_by_the_pages(client: Any, receipt: Receipt) -> None:
    client.force_login(receipt.user)
    started = client.post(f"/payments/receipt/{receipt.pk}/start")
    payment = Payment.objects.get()
    assert started["Location"] == f"/payments/{payment.pk}/"
    assert payment.checkout_url in html.unescape(client.get(started["Location"]).content.decode())
    assert payment.checkout_url.startswith("http://testserver/payments/simulate?payment=dummy_")
    page = client.get("/payments/simulate", {"payment": payment.external_payment_id})
    assert b"8.00" in page.content
    done = client.post(
        "/payments/simulate", {"payment": payment.external_payment_id, "outcome": "succeed"}, follow=True
    )
    assert done.redirect_chain[-1][0] == f"/payments/thanks?rid={receipt.pk}"
    receipt.refresh_from_db()
    assert (receipt.status, receipt.method) == ("paid", "dummy")


def test_landing_on_the_thanks_page_pays_nothing(client: Any, receipt: Receipt, payment: Payment) -> None:
    client.force_login(receipt.user)
    assert client.get(f"/payments/thanks?rid={receipt.pk}").status_code == 200
    receipt.refresh_from_db()
    assert receipt.status == "pending"


@pytest.mark.parametrize("outcome", ["fail", "cancel"])
def test_a_declined_or_canceled_checkout_leaves_the_receipt_open(
    client: Any, receipt: Receipt, payment: Payment, outcome: str
) -> None:
    client.force_login(receipt.user)
    client.post("/payments/simulate", {"payment": payment.external_payment_id, "outcome": outcome})
    receipt.refresh_from_db()
    assert receipt.status == "pending"


def test_somebody_elses_receipt_is_as_absent_as_one_that_never_was(
    client: Any, receipt: Receipt, payment: Payment, bob: Any
) -> None:
    client.force_login(bob)
    answers = [
        client.post(f"/payments/receipt/{receipt.pk}/start"),
        client.post("/payments/receipt/999999/start"),
        client.get(f"/payments/thanks?rid={receipt.pk}"),
        client.get("/payments/thanks?rid=999999"),
        client.get("/payments/thanks?rid=١"),
        client.get("/payments/simulate", {"payment": payment.external_payment_id}),
    ]
    assert [answer.status_code for answer in answers] == [404] * 6


def test_starting_needs_a_login_a_post_and_a_csrf_token(client: Any, receipt: Receipt) -> None:
    from django.test import Client

    assert client.post(f"/payments/receipt/{receipt.pk}/start").status_code == 302
    client.force_login(receipt.user)
    assert client.get(f"/payments/receipt/{receipt.pk}/start").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(receipt.user)
    assert strict.post(f"/payments/receipt/{receipt.pk}/start").status_code == 403
    assert Payment.objects.count() == 0


def test_starting_twice_finds_the_same_attempt(receipt: Receipt) -> None:
    first = start_payment(actor=Actor("alice"), receipt=receipt)
    second = start_payment(actor=Actor("alice"), receipt=receipt)
    assert (first.pk, first.checkout_url) == (second.pk, second.checkout_url)
    assert AuditLog.objects.filter(action="payment_start").count() == 1


def test_while_one_request_asks_the_provider_another_does_not(
    fakes: Providers, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every provider knows a second question for the first one again."""
    monkeypatch.setattr(checkout, "LOOKS", 1)
    rig, receipt = RIGS["stripe.card"](fakes), new_receipt()
    rig.start(receipt)
    Payment.objects.update(external_payment_id="", checkout_url="", asked_at=timezone.now())  # no answer yet
    before = len(fakes.stripe.requests)
    with pytest.raises(StillAsking):
        rig.start(receipt)
    assert len(fakes.stripe.requests) == before


def test_a_paid_receipt_cannot_be_paid_again(receipt: Receipt) -> None:
    mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="slip")
    with pytest.raises(NotPayable):
        start_payment(actor=Actor("alice"), receipt=receipt)


def test_with_payment_off_the_page_says_so_and_nothing_is_opened(settings: Any, client: Any, receipt: Receipt) -> None:
    settings.PAYMENT_PROVIDER = ""
    client.force_login(receipt.user)
    assert client.post(f"/payments/receipt/{receipt.pk}/start").status_code == 503
    assert Payment.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_twenty_clicks_at_once_open_one_attempt(receipt: Receipt) -> None:
    urls = at_once(20, lambda _index: start_payment(actor=Actor("alice"), receipt=receipt).checkout_url)
    assert Payment.objects.count() == 1
    assert len(set(urls)) == 1
