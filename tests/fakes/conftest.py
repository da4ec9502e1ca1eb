"""The three providers, and their own SDKs pointed at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import omise
import pytest
import razorpay
import stripe

from tests.fakes.providers import Providers

Make = Callable[..., Any]


@pytest.fixture
def fakes() -> Iterator[Providers]:
    with Providers(seed=1) as running:
        yield running


@pytest.fixture
def stripe_sdk(fakes: Providers) -> stripe.StripeClient:
    client = stripe.RequestsClient(timeout=5)
    return stripe.StripeClient(fakes.stripe.secret_key, base_addresses={"api": fakes.stripe.url}, http_client=client)


@pytest.fixture
def new_session(stripe_sdk: stripe.StripeClient) -> Make:
    """``new_session(amount=12345, currency="thb", key=None, **more)`` opens a checkout through the SDK."""

    def make(amount: int = 12345, currency: str = "thb", key: str | None = None, **more: Any) -> Any:
        price = {"currency": currency, "unit_amount": amount, "product_data": {"name": "ใบแจ้งหนี้ 1"}}
        params = {
            "mode": "payment",
            "success_url": "http://shop.test/back?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://shop.test/cancelled",
            "client_reference_id": "PAY-1",
            "metadata": {"reference": "PAY-1"},
            "line_items": [{"price_data": price, "quantity": 1}],
        }
        return stripe_sdk.v1.checkout.sessions.create({**params, **more}, {"idempotency_key": key} if key else None)

    return make


@pytest.fixture
def omise_sdk(fakes: Providers, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(omise, "api_main", fakes.omise.url)
    monkeypatch.setattr(omise, "api_secret", fakes.omise.secret_key)
    monkeypatch.setattr(omise, "api_version", "2019-05-29")
    return omise


@pytest.fixture
def new_charge(omise_sdk: Any) -> Make:
    """A pending PromptPay charge through the SDK."""

    def make(amount: int = 12345, **more: Any) -> Any:
        source = omise_sdk.Source.create(type="promptpay", amount=amount, currency="thb")
        known = {"metadata": {"reference": "PAY-1"}, "description": "Invoice 1"}
        return omise_sdk.Charge.create(amount=amount, currency="thb", source=source.id, **{**known, **more})

    return make


@pytest.fixture
def razorpay_sdk(fakes: Providers) -> razorpay.Client:
    return razorpay.Client(auth=(fakes.razorpay.key_id, fakes.razorpay.key_secret), base_url=fakes.razorpay.url)


@pytest.fixture
def new_order(razorpay_sdk: razorpay.Client) -> Make:
    def make(amount: int = 12345, **more: Any) -> Any:
        return razorpay_sdk.order.create({"amount": amount, "currency": "INR", "receipt": "PAY-1", **more})

    return make


@pytest.fixture
def new_checkout(new_session: Make, new_charge: Make, new_order: Make) -> dict[str, Make]:
    """How a payer's checkout is opened at each of ``Providers.all``; it gives the id."""
    return {
        "stripe": lambda: new_session().id,
        "omise": lambda: new_charge().id,
        "razorpay": lambda: new_order()["id"],
    }
