"""What payers see on their way to a provider and back."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from billing.models import Receipt
from hpcbilling.single_sign_on import origin_of
from payments.models import Payment
from tests.fakes.providers import Providers
from tests.payments.rigs import RIGS, new_receipt

pytestmark = pytest.mark.django_db


@pytest.fixture
def receipt(alice: Any) -> Receipt:
    return new_receipt()


@pytest.fixture
def as_alice(client: Any, receipt: Receipt) -> Any:
    client.force_login(receipt.user)
    return client


def begin(client: Any, receipt: Receipt, way: str) -> Any:
    return client.post(f"/payments/receipt/{receipt.pk}/start", {"way": way}, follow=True)


def test_the_receipt_offers_every_way_that_takes_its_amount(as_alice: Any, receipt: Receipt, fakes: Providers) -> None:
    page = as_alice.get(receipt.get_absolute_url()).content.decode()
    offered = re.findall(r'name="way" value="([a-z.]+)"', page)
    assert offered == [
        "dummy.page", "manual.transfer", "stripe.card", "stripe.promptpay", "omise.promptpay", "omise.card",
        "razorpay.checkout",
    ]  # fmt: skip


def test_a_hosted_page_is_one_step_away_and_no_script_is_needed(
    as_alice: Any, receipt: Receipt, fakes: Providers
) -> None:
    answer = begin(as_alice, receipt, "stripe.card")
    payment = Payment.objects.get()
    page = html.unescape(answer.content.decode())
    assert f'content="0;url={payment.checkout_url}"' in page
    assert payment.checkout_url.startswith(fakes.stripe.url)


def test_razorpays_form_may_post_to_razorpay_and_nowhere_else(
    as_alice: Any, receipt: Receipt, fakes: Providers
) -> None:
    answer = begin(as_alice, receipt, "razorpay.checkout")
    assert f'action="{fakes.razorpay.url}/v1/checkout/embedded"' in answer.content.decode()
    policy = answer["Content-Security-Policy"]
    targets = re.search(r"form-action ([^;]+)", policy)
    sign_on = origin_of(settings.OIDC_ISSUER)  # the form of the sign-in page is sent on to it
    assert targets, policy
    assert set(targets[1].split()) == {"'self'", sign_on, fakes.razorpay.url}, policy
    other = as_alice.get(receipt.get_absolute_url())["Content-Security-Policy"]
    assert fakes.razorpay.url not in other


def test_the_qr_code_is_a_picture_that_can_do_nothing(as_alice: Any, receipt: Receipt, fakes: Providers) -> None:
    answer = begin(as_alice, receipt, "omise.promptpay")
    payment = Payment.objects.get()
    assert f'src="/payments/{payment.pk}/qr.svg"' in answer.content.decode()
    picture = as_alice.get(f"/payments/{payment.pk}/qr.svg")
    assert picture["Content-Type"] == "image/svg+xml"
    assert "sandbox" in picture["Content-Security-Policy"]
    assert "default-src 'none'" in picture["Content-Security-Policy"]
    assert picture.content.startswith((b"<svg", b"<?xml"))


def test_the_waiting_page_looks_for_itself_and_ends_when_it_is_paid(
    as_alice: Any, receipt: Receipt, fakes: Providers
) -> None:
    rig: Any = RIGS["omise.promptpay"](fakes)
    begin(as_alice, receipt, "omise.promptpay")
    payment = Payment.objects.get()
    page = as_alice.get(f"/payments/{payment.pk}/").content
    assert b'data-watch="pending"' in page
    assert b'http-equiv="refresh"' not in page, "no page is taken from under its reader"
    rig.pay(payment)
    Payment.objects.update(checked_at=None)
    answer = as_alice.get(f"/payments/{payment.pk}/", follow=True)
    assert answer.redirect_chain[-1][0] == f"/payments/thanks?rid={receipt.pk}"
    assert b"it is paid" in answer.content


def test_pages_ask_the_provider_every_few_seconds_at_most(as_alice: Any, receipt: Receipt, fakes: Providers) -> None:
    begin(as_alice, receipt, "omise.promptpay")
    payment = Payment.objects.get()
    as_alice.get(f"/payments/{payment.pk}/")
    before = len(fakes.omise.requests)
    for _look in range(5):
        as_alice.get(f"/payments/{payment.pk}/")
    assert len(fakes.omise.requests) == before


def test_coming_back_from_razorpay_reads_the_record(as_alice: Any, receipt: Receipt, fakes: Providers) -> None:
    begin(as_alice, receipt, "razorpay.checkout")
    payment = Payment.objects.get()
    charge = fakes.razorpay.pay(payment.external_payment_id)
    Payment.objects.update(checked_at=None)
    fields = {
        "razorpay_order_id": payment.external_payment_id, "razorpay_payment_id": charge,
        "razorpay_signature": fakes.razorpay.signature(payment.external_payment_id, charge),
    }  # fmt: skip
    browser = Client(enforce_csrf_checks=True)  # a post from another site: no session, no token
    answer = browser.post("/payments/return/razorpay/", fields)
    assert answer["Location"] == f"/payments/thanks?rid={receipt.pk}"
    payment.refresh_from_db()
    assert payment.status == "succeeded"


@pytest.mark.parametrize(
    "change", [{"razorpay_signature": "0" * 64}, {"razorpay_signature": ""}, {"razorpay_payment_id": "pay_x"}]
)
def test_a_return_that_razorpay_did_not_sign_is_refused(
    as_alice: Any, receipt: Receipt, fakes: Providers, change: dict[str, str]
) -> None:
    begin(as_alice, receipt, "razorpay.checkout")
    order = Payment.objects.get().external_payment_id
    fields = {
        "razorpay_order_id": order, "razorpay_payment_id": "pay_1", **change,
        "razorpay_signature": change.get("razorpay_signature", fakes.razorpay.signature(order, "pay_1")),
    }  # fmt: skip
    assert Client().post("/payments/return/razorpay/", fields).status_code == 400


def test_a_failed_try_brings_no_signature_and_odd_ones_are_refused(
    as_alice: Any, receipt: Receipt, fakes: Providers
) -> None:
    begin(as_alice, receipt, "razorpay.checkout")
    order = Payment.objects.get().external_payment_id
    told = {"error[code]": "BAD_REQUEST_ERROR", "error[metadata]": f'{{"order_id": "{order}"}}'}
    assert Client().post("/payments/return/razorpay/", told)["Location"] == f"/payments/thanks?rid={receipt.pk}"
    for metadata in (
        "{",
        "[]",
        '{"order_id": "\\u0000"}',
        '{"order_id": 7}',
        '{"order_id": "order_nobodys"}',
        "[" * 9000,
    ):
        answer = Client().post("/payments/return/razorpay/", {"error[metadata]": metadata})
        assert answer.status_code in (400, 404), metadata


@pytest.mark.parametrize("name", ["stripe", "dummy", "manual", "paypal"])
def test_other_providers_post_nothing_back(fakes: Providers, name: str) -> None:
    assert Client().post(f"/payments/return/{name}/", {}).status_code in (400, 404)


def test_somebody_elses_payment_is_as_absent_as_none(client: Any, bob: Any, receipt: Receipt, fakes: Providers) -> None:
    payment = RIGS["omise.promptpay"](fakes).start(receipt)
    client.force_login(bob)
    for page in ("", "qr.svg"):
        assert client.get(f"/payments/{payment.pk}/{page}").status_code == 404
    assert client.post(f"/payments/{payment.pk}/transfer", {}).status_code == 404
    assert Client().get(f"/payments/{payment.pk}/").status_code == 302


@pytest.mark.parametrize("way", ["paypal.x", "stripe.cash", ".", "stripe", "x" * 300])
def test_an_unknown_way_is_refused_or_the_usual_one(
    as_alice: Any, receipt: Receipt, fakes: Providers, way: str
) -> None:
    answer = begin(as_alice, receipt, way)
    assert answer.status_code in (200, 400)
    assert Payment.objects.count() == (answer.status_code == 200)


def test_addresses_for_coming_back_are_ours_whatever_the_host_header_says(
    as_alice: Any, receipt: Receipt, fakes: Providers, settings: Any
) -> None:
    settings.SITE_BASE_URL = "https://billing.example.ac.th"
    settings.ALLOWED_HOSTS = ["*"]
    as_alice.post(f"/payments/receipt/{receipt.pk}/start", {"way": "stripe.card"}, headers={"host": "evil.example"})
    session = fakes.stripe.objects("checkouts")[0]
    assert session["success_url"].startswith("https://billing.example.ac.th/payments/thanks?rid=")
    assert session["cancel_url"].startswith("https://billing.example.ac.th/receipts/")
