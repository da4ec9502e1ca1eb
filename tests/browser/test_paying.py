"""Paying a receipt in a real browser with each provider, at the local provider server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from billing.models import Receipt
from payments.models import Payment
from tests.fakes.providers import Providers
from tests.payments.rigs import configure, new_receipt, running

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def fakes(settings: Any, live_server: Any) -> Iterator[Providers]:
    with running() as started:
        configure(settings, started)
        started.pump.to(f"{live_server.url}/payments/webhooks/")
        yield started


@pytest.fixture
def payer(visit: Any, alice: Any, fakes: Providers) -> Any:
    receipt = new_receipt()
    person = visit()
    person.sign_in("alice")
    person.go(receipt.get_absolute_url())
    return person


def choose(payer: Any, way: str) -> None:
    payer.page.click(f"button[value='{way}']")


def assert_paid(payer: Any, way: str) -> None:
    payer.page.wait_for_selector("text=Thank you, it is paid")
    payment = Payment.objects.get()
    used = {"razorpay.card": "razorpay.checkout", "razorpay.upi": "razorpay.checkout"}
    found = f"{payment.provider}.{payment.method}"
    assert (used.get(found, found), payment.status) == (way, "succeeded")
    assert Receipt.objects.get().status == "paid"
    assert [text for text in payer.complaints if text.startswith(payer.base)] == [], "on our own pages"


@pytest.mark.parametrize(
    ("way", "button"), [("stripe.card", "Pay by card"), ("stripe.promptpay", "Pay with PromptPay")]
)
def test_on_stripes_page(payer: Any, way: str, button: str) -> None:
    choose(payer, way)
    payer.page.click(f"button:text-is('{button}')")
    assert_paid(payer, way)


def test_on_stripes_page_after_a_declined_card(payer: Any) -> None:
    choose(payer, "stripe.card")
    payer.page.click("button:text-is('Pay by a card that is declined')")
    payer.page.wait_for_selector("text=Your card was declined")
    payer.page.click("button:text-is('Pay by card')")
    assert_paid(payer, "stripe.card")


def test_with_the_qr_code_that_a_phone_scans(payer: Any, visit: Any, fakes: Providers) -> None:
    choose(payer, "omise.promptpay")
    picture = payer.page.locator("img.qr")
    picture.wait_for()
    picture.evaluate("image => image.decode()")  # waits for it; a picture that cannot be drawn is an error here
    assert picture.evaluate("image => image.naturalWidth > 0"), "the picture is drawn"
    fakes.omise.pay(Payment.objects.get().external_payment_id)
    assert_paid(payer, "omise.promptpay")  # the page notices by itself


def test_on_omises_page_beside_ours(payer: Any, fakes: Providers) -> None:
    choose(payer, "omise.card")
    with payer.page.expect_popup() as opened:
        payer.page.click("text=Continue to Omise")
    opened.value.click("button:text-is('Pay by card')")
    opened.value.wait_for_selector("text=Thank you")
    assert_paid(payer, "omise.card")


@pytest.mark.parametrize("button", ["Pay by card", "Pay by UPI"])
def test_on_razorpays_page(payer: Any, button: str) -> None:
    choose(payer, "razorpay.checkout")
    payer.page.click("text=Continue to Razorpay")
    payer.page.click(f"button:text-is('{button}')")
    assert_paid(payer, "razorpay.checkout")


def test_back_from_razorpay_after_a_try_that_failed(payer: Any) -> None:
    choose(payer, "razorpay.checkout")
    payer.page.click("text=Continue to Razorpay")
    payer.page.click("button:text-is('Pay fails')")
    payer.page.click("button:text-is('Back to the shop without paying')")
    payer.page.wait_for_selector("h1:text-is('Not paid')")
    assert Receipt.objects.get().status == "pending"


def test_canceling_at_stripe_leads_back_to_the_receipt(payer: Any) -> None:
    choose(payer, "stripe.card")
    payer.page.click("button:text-is('Cancel')")
    payer.page.wait_for_url("**/receipts/*/")
    choose(payer, "dummy.page")
    payer.page.click("button[value=succeed]")
    assert_paid_at_last(payer)


def assert_paid_at_last(payer: Any) -> None:
    payer.page.wait_for_selector("text=Thank you, it is paid")
    assert list(Payment.objects.order_by("pk").values_list("provider", "status")) == [
        ("stripe", "canceled"), ("dummy", "succeeded"),
    ]  # fmt: skip
