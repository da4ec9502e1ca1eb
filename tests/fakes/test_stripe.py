"""Stripe's own SDK believes the local server; money, keys and events behave as Stripe documents them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe
import time_machine

from tests.fakes.conftest import Make
from tests.fakes.providers import Providers


def types(fakes: Providers, start: int = 0) -> list[str]:
    return [event.type for event in fakes.stripe.events[start:]]


def test_a_card_pays_a_checkout(fakes: Providers, stripe_sdk: stripe.StripeClient, new_session: Make) -> None:
    opened = new_session(payment_intent_data={"metadata": {"reference": "PAY-1"}})
    assert (opened.status, opened.payment_status, opened.payment_intent, opened.livemode) == (
        "open",
        "unpaid",
        None,
        False,
    )
    assert opened.id.startswith("cs_test_")
    fakes.stripe.pay(opened.id)
    expand = {"expand": ["payment_intent.latest_charge"]}
    session = stripe_sdk.v1.checkout.sessions.retrieve(opened.id, expand)
    assert (session.status, session.payment_status, session.amount_total, session.currency) == (
        "complete",
        "paid",
        12345,
        "thb",
    )
    assert session.payment_intent.metadata["reference"] == "PAY-1"
    assert session.payment_intent.latest_charge.amount_captured == 12345
    assert types(fakes) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    assert fakes.stripe.money() == {"captured": 12345, "refunded": 0}


def test_a_declined_card_leaves_the_checkout_open(fakes: Providers, new_session: Make) -> None:
    session = new_session()
    intent = fakes.stripe.decline(session.id)
    assert fakes.stripe.objects("checkouts")[0]["status"] == "open"
    assert "payment_intent.payment_failed" in types(fakes)
    assert fakes.stripe.pay(session.id) == intent
    assert [charge["status"] for charge in fakes.stripe.objects("charges")] == ["failed", "succeeded"]


@pytest.mark.parametrize("arrives", [True, False])
def test_money_that_comes_later(fakes: Providers, new_session: Make, arrives: bool) -> None:
    session = new_session()
    fakes.stripe.pay_later(session.id)
    completed = fakes.stripe.events[-1]
    assert completed.type == "checkout.session.completed"
    assert completed.payload["data"]["object"]["payment_status"] == "unpaid"
    fakes.stripe.settle_later(session.id, succeeded=arrives)
    assert types(fakes)[-1] == f"checkout.session.async_payment_{'succeeded' if arrives else 'failed'}"
    assert fakes.stripe.objects("checkouts")[0]["payment_status"] == ("paid" if arrives else "unpaid")
    assert fakes.stripe.money()["captured"] == (12345 if arrives else 0)


def test_a_checkout_past_its_hour_expires(fakes: Providers, stripe_sdk: stripe.StripeClient, new_session: Make) -> None:
    session = new_session(expires_at=int(time.time()) + 1900)
    with time_machine.travel(time.time() + 1901):
        assert stripe_sdk.v1.checkout.sessions.retrieve(session.id).status == "expired"
        assert types(fakes) == ["checkout.session.expired"]
        with pytest.raises(ValueError, match="expired"):
            fakes.stripe.pay(session.id)


def test_only_an_open_checkout_can_be_expired(
    fakes: Providers, stripe_sdk: stripe.StripeClient, new_session: Make
) -> None:
    paid, left = new_session(), new_session()
    fakes.stripe.pay(paid.id)
    assert stripe_sdk.v1.checkout.sessions.expire(left.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError, match="complete"):
        stripe_sdk.v1.checkout.sessions.expire(paid.id)


def test_the_same_key_gives_the_same_checkout(fakes: Providers, new_session: Make) -> None:
    first, second = new_session(key="attempt-1"), new_session(key="attempt-1")
    assert first.id == second.id
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        new_session(amount=999_00, key="attempt-1")
    assert len(fakes.stripe.objects("checkouts")) == 1
    with time_machine.travel(time.time() + 24 * 3600 + 1):
        assert new_session(key="attempt-1").id != first.id


def test_a_refused_checkout_does_not_use_up_its_key(fakes: Providers, new_session: Make) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        new_session(amount=1, key="attempt-1")
    assert new_session(key="attempt-1").status == "open"


def test_a_stored_error_500_stays_an_error(fakes: Providers, new_session: Make) -> None:
    fakes.stripe.faults.plan("POST", "/v1/checkout/sessions", "500_after")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as error:
            new_session(key="attempt-1")
        assert error.value.http_status == 500
    assert len(fakes.stripe.objects("checkouts")) == 1


def test_two_calls_at_once_with_one_key(fakes: Providers, new_session: Make) -> None:
    fakes.stripe.latency = 0.5

    def attempt(_: int) -> Any:
        try:
            return new_session(key="attempt-1").id
        except stripe.StripeError as error:
            return error.http_status

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(attempt, range(4)))
    assert 409 in told
    assert len(set(told)) == 2
    assert len(fakes.stripe.objects("checkouts")) == 1


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"amount": 999}, None, "amount_too_small"),
        ({"amount": 49, "currency": "usd"}, None, "amount_too_small"),
        ({"amount": 100_000_000}, None, "amount_too_large"),
        ({"currency": "usd", "payment_method_types": ["promptpay"]}, "payment_method_types", None),
        ({"expires_at": 1}, "expires_at", None),
        ({"expires_at": int(time.time()) + 2 * 86400}, "expires_at", None),
        ({"success_url": "shop"}, "success_url", "url_invalid"),
        ({"colour": "red"}, "colour", "parameter_unknown"),
        ({"metadata": {"k": "x" * 501}}, "metadata[k]", None),
        ({"metadata": {f"k{n}": "x" for n in range(51)}}, "metadata", None),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price_data]", "parameter_missing"),
    ],
)
def test_what_stripe_refuses(fakes: Providers, new_session: Make, change: Any, param: Any, code: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as error:
        new_session(**change)
    assert (error.value.param, error.value.code) == (param, code)
    assert fakes.stripe.objects("checkouts") == []


def test_a_wrong_key_is_refused(fakes: Providers) -> None:
    client = stripe.StripeClient("sk_test_wrong", base_addresses={"api": fakes.stripe.url})
    with pytest.raises(stripe.AuthenticationError):
        client.v1.checkout.sessions.list()


def test_refunds_never_exceed_the_charge(fakes: Providers, stripe_sdk: stripe.StripeClient, new_session: Make) -> None:
    intent = fakes.stripe.pay(new_session().id)
    refund = stripe_sdk.v1.refunds.create({"payment_intent": intent, "amount": 10000})
    assert (refund.status, refund.amount, refund.payment_intent) == ("succeeded", 10000, intent)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        stripe_sdk.v1.refunds.create({"payment_intent": intent, "amount": 2346})
    assert fakes.stripe.refund_in_dashboard(intent, 2345)
    with pytest.raises(stripe.InvalidRequestError) as error:
        stripe_sdk.v1.refunds.create({"payment_intent": intent})
    assert error.value.code == "charge_already_refunded"
    told = [event.payload["data"]["object"] for event in fakes.stripe.events if event.type == "charge.refunded"]
    assert [(charge["amount_refunded"], charge["refunded"]) for charge in told] == [(10000, False), (12345, True)]
    assert len(stripe_sdk.v1.refunds.list({"payment_intent": intent}).data) == 2


def test_concurrent_refunds_share_what_is_left(
    fakes: Providers, stripe_sdk: stripe.StripeClient, new_session: Make
) -> None:
    intent = fakes.stripe.pay(new_session(amount=10000).id)

    def attempt(_: int) -> bool:
        try:
            stripe_sdk.v1.refunds.create({"payment_intent": intent, "amount": 3000})
        except stripe.InvalidRequestError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 3
    assert fakes.stripe.money() == {"captured": 10000, "refunded": 9000}


def test_a_refund_can_fail_after_it_succeeded(
    fakes: Providers, stripe_sdk: stripe.StripeClient, new_session: Make
) -> None:
    intent = fakes.stripe.pay(new_session().id)
    refund = stripe_sdk.v1.refunds.create({"payment_intent": intent})
    fakes.stripe.finish_refund(refund.id, succeeded=False)
    assert types(fakes)[-1] == "refund.failed"
    assert stripe_sdk.v1.refunds.retrieve(refund.id).status == "failed"
    assert fakes.stripe.money()["refunded"] == 0


def test_promptpay_is_refunded_slowly(fakes: Providers, stripe_sdk: stripe.StripeClient, new_session: Make) -> None:
    intent = fakes.stripe.pay(new_session().id, method="promptpay")
    pending = stripe_sdk.v1.refunds.create({"payment_intent": intent, "amount": 100})
    asked = stripe_sdk.v1.refunds.create(
        {"payment_intent": intent, "amount": 100, "instructions_email": "a@example.com"}
    )
    assert (pending.status, asked.status) == ("pending", "requires_action")
    fakes.stripe.finish_refund(pending.id)
    assert "refund.updated" in types(fakes)
    assert stripe_sdk.v1.refunds.retrieve(pending.id).status == "succeeded"


@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_runs_its_course(
    fakes: Providers, stripe_sdk: stripe.StripeClient, new_session: Make, won: bool
) -> None:
    intent = fakes.stripe.pay(new_session().id)
    start = len(fakes.stripe.events)
    dispute = fakes.stripe.open_dispute(intent)
    with pytest.raises(stripe.InvalidRequestError) as error:
        stripe_sdk.v1.refunds.create({"payment_intent": intent})
    assert error.value.code == "charge_disputed"
    fakes.stripe.close_dispute(dispute, won=won)
    back = ["charge.dispute.funds_reinstated"] if won else []
    opened = ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert types(fakes, start) == [*opened, *back, "charge.dispute.closed"]
    assert stripe_sdk.v1.disputes.list({"payment_intent": intent}).data[0].status == ("won" if won else "lost")


def test_lists_page_and_filter(fakes: Providers, stripe_sdk: stripe.StripeClient, new_session: Make) -> None:
    made = [new_session().id for _ in range(5)]
    listing = stripe_sdk.v1.checkout.sessions.list({"limit": 2})
    assert [session.id for session in listing.auto_paging_iter()] == made[::-1]
    intent = fakes.stripe.pay(made[0])
    asked = {"payment_intent": intent, "expand": ["data.payment_intent"]}
    assert stripe_sdk.v1.checkout.sessions.list(asked).data[0].payment_intent.status == "succeeded"
    assert stripe_sdk.v1.checkout.sessions.list({"created": {"gte": int(time.time()) + 10}}).data == []
    assert stripe_sdk.v1.charges.list({"payment_intent": intent}).data[0].paid


def test_events_can_be_fetched_when_no_call_arrived(
    fakes: Providers, stripe_sdk: stripe.StripeClient, new_session: Make
) -> None:
    fakes.stripe.pay(new_session().id)
    missed = stripe_sdk.v1.events.list({"delivery_success": False, "type": "checkout.session.completed"})
    event = stripe_sdk.v1.events.retrieve(missed.data[0].id)
    assert event.api_version == stripe.api_version
    fakes.pump.deliver(lambda provider, body, headers: 200)
    assert stripe_sdk.v1.events.list({"delivery_success": False}).data == []


def test_the_sdk_accepts_our_signatures(fakes: Providers, new_session: Make) -> None:
    fakes.stripe.pay(new_session().id)
    event, both = fakes.stripe.events[-1], (fakes.stripe.old_webhook_secret, fakes.stripe.webhook_secret)
    body, headers = fakes.stripe.sign(event, secret=both)
    for secret in both:
        assert stripe.WebhookSignature.verify_header(body.decode(), headers["Stripe-Signature"], secret, tolerance=300)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body.decode(), headers["Stripe-Signature"], "whsec_other")
    old, headers = fakes.stripe.sign(event, timestamp=int(time.time()) - 301)
    with pytest.raises(stripe.SignatureVerificationError, match="tolerance"):
        stripe.WebhookSignature.verify_header(old.decode(), headers["Stripe-Signature"], both[1], tolerance=300)


def test_a_payment_can_differ_from_what_was_asked(fakes: Providers, new_session: Make) -> None:
    fakes.stripe.pay(new_session().id, amount=12344, currency="usd", live=True, reference="other")
    session = fakes.stripe.objects("checkouts")[0]
    charge = fakes.stripe.objects("charges")[0]
    assert (session["amount_total"], session["currency"], session["livemode"]) == (12344, "usd", True)
    assert (charge["amount"], charge["currency"], session["client_reference_id"]) == (12344, "usd", "other")


def test_shapes_name_every_field_of_the_sdk(
    fakes: Providers, stripe_sdk: stripe.StripeClient, new_session: Make
) -> None:
    """Fields that may be null may be absent; every other one is there, and none that the SDK does not know."""
    intent = fakes.stripe.pay(new_session().id)
    fakes.stripe.refund_in_dashboard(intent, 100)
    fakes.stripe.open_dispute(intent)
    pairs = [
        (stripe.checkout.Session, fakes.stripe.objects("checkouts")[0]),
        (stripe.PaymentIntent, fakes.stripe.intents[intent]),
        (stripe.Charge, fakes.stripe.objects("charges")[0]),
        (stripe.Refund, fakes.stripe.objects("refunds")[0]),
        (stripe.Dispute, fakes.stripe.objects("disputes")[0]),
        (stripe.Event, fakes.stripe.events[0].payload),
    ]
    for model, shape in pairs:
        named = {name: str(kind) for name, kind in model.__annotations__.items() if name != "OBJECT_NAME"}
        needed = {name for name, kind in named.items() if "Optional" not in kind and "NoneType" not in kind}
        assert needed <= set(shape), (model.__name__, needed - set(shape))
        assert set(shape) <= set(named), (model.__name__, set(shape) - set(named))
