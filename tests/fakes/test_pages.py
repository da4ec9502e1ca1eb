"""A payer's browser: buttons do what they say and lead back to the shop."""

from __future__ import annotations

import re

import pytest
import razorpay
import requests

from tests.fakes.conftest import Make
from tests.fakes.providers import Providers
from tests.fakes.providers.html import STAND_IN


def press(address: str, do: str, **fields: str) -> requests.Response:
    return requests.post(address, data={"do": do, **fields}, allow_redirects=False, timeout=5)


@pytest.mark.parametrize(("do", "paid"), [("card", "paid"), ("promptpay", "paid"), ("later", "unpaid")])
def test_stripe_checkout_pays(fakes: Providers, new_session: Make, do: str, paid: str) -> None:
    session = new_session()
    page = requests.get(session.url, timeout=5).text
    assert STAND_IN in page
    assert "123.45 THB" in page
    back = press(session.url, do)
    assert back.headers["Location"] == f"http://shop.test/back?session={session.id}"
    assert fakes.stripe.objects("checkouts")[0]["payment_status"] == paid
    assert "It is complete" in requests.get(f"{fakes.stripe.url}/c/pay/{session.id}", timeout=5).text


def test_stripe_checkout_declines_and_cancels(fakes: Providers, new_session: Make) -> None:
    session = new_session()
    assert "declined" in press(session.url, "decline").text
    assert press(session.url, "cancel").headers["Location"] == "http://shop.test/cancelled"
    assert fakes.stripe.objects("checkouts")[0]["status"] == "open"


def test_omise_link_and_phone(fakes: Providers, omise_sdk: object, new_charge: Make) -> None:
    link = omise_sdk.Link.create(amount=12345, currency="thb", title="<b>", description="PAY-1")  # type: ignore[attr-defined]
    assert "&lt;b&gt;" in requests.get(link.payment_uri, timeout=5).text
    assert "declined" in press(link.payment_uri, "decline").text
    assert "has been paid" in press(link.payment_uri, "pay").text
    charge = new_charge()
    assert "successful" in press(f"{fakes.omise.url}/pay/{charge.id}", "pay").text
    other = new_charge()
    assert "expired" in press(f"{fakes.omise.url}/pay/{other.id}", "expire").text


def test_razorpay_checkout(fakes: Providers, razorpay_sdk: razorpay.Client, new_order: Make) -> None:
    form = {
        "key_id": fakes.razorpay.key_id,
        "order_id": new_order()["id"],
        "callback_url": "http://shop.test/back",
        "cancel_url": "http://shop.test/cancelled",
    }
    page = requests.post(f"{fakes.razorpay.url}/v1/checkout/embedded", data=form, timeout=5).text
    assert "123.45 INR" in page
    act = f"{fakes.razorpay.url}/v1/checkout/act"
    assert press(act, "cancel", **form).headers["Location"] == "http://shop.test/cancelled"
    assert "error[code]" in press(act, "fail", **form).text
    paid = press(act, "card", **form).text
    told = dict(re.findall(r'name="(razorpay_\w+)" value="([^"]+)"', paid))
    assert razorpay_sdk.utility.verify_payment_signature(told)
    assert 'action="http://shop.test/back"' in paid
    wrong = {**form, "key_id": "rzp_test_other"}
    assert requests.post(f"{fakes.razorpay.url}/v1/checkout/embedded", data=wrong, timeout=5).status_code == 400


def test_the_control_page_shows_and_does_everything(fakes: Providers, new_checkout: dict[str, Make]) -> None:
    root = f"{fakes.stripe.url}/"
    ids = {name: new_checkout[name]() for name in fakes.all}
    for provider, fake in fakes.all.items():
        assert press(root, "pay", provider=provider, id=ids[provider]).status_code == 303
        charge = fake.objects("charges")[0]["id"]
        if hasattr(fake, "take"):  # its payers only authorise
            fake.take(fake.shelf("charges")[charge])
        assert press(root, "refund", provider=provider, id=charge, amount="1000").status_code == 303
        refund = fake.objects("refunds")[0]["id"]
        assert press(root, "fail", provider=provider, id=refund).status_code == 303
        assert press(root, "dispute", provider=provider, id=charge).status_code == 303
        dispute = fake.objects("disputes")[0]["id"]
        assert press(root, "lose", provider=provider, id=dispute).status_code == 303
        call = {"call": "POST /v1/orders", "kind": "503", "times": "1"}
        assert press(root, "fault", provider=provider, **call).status_code == 303
    page = requests.get(root, timeout=5).text
    assert all(key[:20] in page for key in ids.values())
    assert "POST /v1/orders: 503" in page
    assert press(root, "expire", provider="razorpay", id=ids["razorpay"]).status_code == 400
