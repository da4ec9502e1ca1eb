"""Razorpay's own SDK believes the local server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import razorpay
import requests
from razorpay.errors import BadRequestError, SignatureVerificationError

from tests.fakes.conftest import Make
from tests.fakes.providers import Providers


def types(fakes: Providers) -> list[str]:
    return [event.type for event in fakes.razorpay.events]


def test_a_payment_is_authorized_then_captured(
    fakes: Providers, razorpay_sdk: razorpay.Client, new_order: Make
) -> None:
    order = new_order()
    assert (order["status"], order["amount_due"]) == ("created", 12345)
    payment = fakes.razorpay.pay(order["id"])
    assert razorpay_sdk.payment.fetch(payment)["status"] == "authorized"
    assert razorpay_sdk.order.fetch(order["id"])["status"] == "attempted"
    with pytest.raises(BadRequestError, match="equal to the amount authorized"):
        razorpay_sdk.payment.capture(payment, 12344, {"currency": "INR"})
    assert razorpay_sdk.payment.capture(payment, 12345, {"currency": "INR"})["captured"]
    with pytest.raises(BadRequestError, match="already been captured"):
        razorpay_sdk.payment.capture(payment, 12345, {"currency": "INR"})
    assert razorpay_sdk.order.fetch(order["id"])["amount_paid"] == 12345
    assert razorpay_sdk.order.payments(order["id"])["items"][0]["id"] == payment
    assert types(fakes) == ["payment.authorized", "payment.captured", "order.paid"]


def test_a_failed_payment_is_authorized_late(fakes: Providers, razorpay_sdk: razorpay.Client, new_order: Make) -> None:
    order = new_order()
    failed = fakes.razorpay.decline(order["id"])
    assert razorpay_sdk.payment.fetch(failed)["error_code"] == "BAD_REQUEST_ERROR"
    second = fakes.razorpay.pay(order["id"], capture="auto")
    assert fakes.razorpay.authorize_late(order["id"]) == failed
    assert razorpay_sdk.payment.fetch(failed)["status"] == "authorized"
    assert razorpay_sdk.payment.fetch(failed)["error_code"] is None
    with pytest.raises(BadRequestError, match="already paid"):
        razorpay_sdk.payment.capture(failed, 12345, {"currency": "INR"})
    assert razorpay_sdk.order.fetch(order["id"])["attempts"] == 2
    assert [charge["id"] for charge in fakes.razorpay.objects("charges")] == [failed, second]
    assert types(fakes)[-1] == "payment.authorized"


def test_refunds_never_exceed_the_payment(fakes: Providers, razorpay_sdk: razorpay.Client, new_order: Make) -> None:
    order = new_order()
    payment = fakes.razorpay.pay(order["id"])
    with pytest.raises(BadRequestError, match="should be captured"):
        razorpay_sdk.payment.refund(payment, {"amount": 1000})
    razorpay_sdk.payment.capture(payment, 12345, {"currency": "INR"})
    assert razorpay_sdk.payment.refund(payment, {"amount": 10000, "notes": {"a": "b"}})["status"] == "processed"
    assert razorpay_sdk.payment.fetch(payment)["refund_status"] == "partial"
    with pytest.raises(BadRequestError, match="greater than"):
        razorpay_sdk.payment.refund(payment, {"amount": 2346})
    fakes.razorpay.refund_in_dashboard(payment, 2345)
    told = razorpay_sdk.payment.fetch(payment)
    assert (told["status"], told["refund_status"], told["amount_refunded"]) == ("refunded", "full", 12345)
    assert razorpay_sdk.order.fetch(order["id"])["status"] == "paid"
    assert len(razorpay_sdk.payment.fetch_multiple_refund(payment)["items"]) == 2
    assert types(fakes)[-2:] == ["refund.created", "refund.processed"]


def test_refund_keys(fakes: Providers, razorpay_sdk: razorpay.Client, new_order: Make) -> None:
    payment = fakes.razorpay.pay(new_order()["id"], capture="auto")
    key = {"headers": {"X-Refund-Idempotency": "refund-0001"}}
    first = razorpay_sdk.payment.refund(payment, {"amount": 1000}, **key)
    assert razorpay_sdk.payment.refund(payment, {"amount": 1000}, **key)["id"] == first["id"]
    with pytest.raises(BadRequestError, match="Different request body"):
        razorpay_sdk.payment.refund(payment, {"amount": 2000}, **key)
    with pytest.raises(BadRequestError, match="at least 10"):
        razorpay_sdk.payment.refund(payment, {"amount": 1000}, headers={"X-Refund-Idempotency": "short"})
    assert fakes.razorpay.money()["refunded"] == 1000


def test_two_refunds_at_once_with_one_key(fakes: Providers, new_order: Make) -> None:
    payment = fakes.razorpay.pay(new_order()["id"], capture="auto")
    fakes.razorpay.latency = 0.5

    def attempt(_: int) -> int:
        auth = (fakes.razorpay.key_id, fakes.razorpay.key_secret)
        address = f"{fakes.razorpay.url}/v1/payments/{payment}/refund"
        key = {"X-Refund-Idempotency": "refund-0001"}
        return requests.post(address, json={"amount": 1000}, headers=key, auth=auth, timeout=5).status_code

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(attempt, range(3))) == {200, 409}
    assert fakes.razorpay.money()["refunded"] == 1000


def test_a_refund_may_wait_and_fail(fakes: Providers, razorpay_sdk: razorpay.Client, new_order: Make) -> None:
    payment = fakes.razorpay.pay(new_order()["id"], capture="auto")
    fakes.razorpay.refunds_pending = True
    refund = razorpay_sdk.payment.refund(payment, {"amount": 12345})
    assert (refund["status"], types(fakes)[-1]) == ("pending", "refund.created")
    fakes.razorpay.finish_refund(refund["id"], succeeded=False)
    assert razorpay_sdk.refund.fetch(refund["id"])["status"] == "failed"
    assert razorpay_sdk.payment.fetch(payment)["refund_status"] is None
    assert types(fakes)[-1] == "refund.failed"


@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_runs_its_course(fakes: Providers, razorpay_sdk: razorpay.Client, new_order: Make, won: bool) -> None:
    payment = fakes.razorpay.pay(new_order()["id"], capture="auto")
    dispute = fakes.razorpay.open_dispute(payment, amount=5000)
    fakes.razorpay.close_dispute(dispute, won=won)
    told = razorpay_sdk.dispute.fetch(dispute)
    assert (told["status"], told["amount_deducted"]) == (("won", 0) if won else ("lost", 5000))
    assert types(fakes)[-2:] == ["payment.dispute.created", f"payment.dispute.{told['status']}"]


@pytest.mark.parametrize(
    "wrong",
    [{"amount": 99}, {"amount": "12.5"}, {"receipt": "x" * 41}, {"currency": "rupees"}, {"notes": {"a": "x" * 257}}],
)
def test_what_razorpay_refuses(fakes: Providers, new_order: Make, wrong: dict[str, object]) -> None:
    with pytest.raises(BadRequestError):
        new_order(**wrong)
    assert fakes.razorpay.objects("checkouts") == []


def test_a_lost_order_is_found_by_its_receipt(razorpay_sdk: razorpay.Client, new_order: Make) -> None:
    new_order(receipt="PAY-1")
    wanted = new_order(receipt="PAY-2")
    assert [one["id"] for one in razorpay_sdk.order.all({"receipt": "PAY-2"})["items"]] == [wanted["id"]]
    assert razorpay_sdk.order.all({"count": 1, "skip": 1})["items"][0]["receipt"] == "PAY-1"
    with pytest.raises(BadRequestError, match="does not exist"):
        razorpay_sdk.order.fetch("order_00000000000000")


def test_a_wrong_key_is_refused(fakes: Providers) -> None:
    told = requests.get(f"{fakes.razorpay.url}/v1/orders", auth=(fakes.razorpay.key_id, "wrong"), timeout=5)
    assert (told.status_code, told.json()["error"]["description"]) == (401, "Authentication failed")


def test_the_sdk_accepts_our_signatures(fakes: Providers, razorpay_sdk: razorpay.Client, new_order: Make) -> None:
    order = new_order()
    payment = fakes.razorpay.pay(order["id"])
    body, headers = fakes.razorpay.sign(fakes.razorpay.events[0])
    check = razorpay_sdk.utility.verify_webhook_signature
    assert check(body.decode(), headers["X-Razorpay-Signature"], fakes.razorpay.webhook_secret)
    with pytest.raises(SignatureVerificationError):
        check(body.decode(), headers["X-Razorpay-Signature"], fakes.razorpay.old_webhook_secret)
    assert headers["x-razorpay-event-id"] == fakes.razorpay.events[0].id
    back = {
        "razorpay_order_id": order["id"],
        "razorpay_payment_id": payment,
        "razorpay_signature": fakes.razorpay.signature(order["id"], payment),
    }
    assert razorpay_sdk.utility.verify_payment_signature(back)
