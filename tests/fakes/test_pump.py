"""The pump repeats, mixes and loses as its seed says, and nothing else."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe

from tests.fakes.conftest import Make
from tests.fakes.providers import Providers


def scene(seed: int) -> list[bytes]:
    """What the pump would send for the same short story."""
    with Providers(seed=seed) as fakes:
        for _ in range(3):
            order = fakes.razorpay.new_id("order_")
            fakes.razorpay.orders[order] = {
                "id": order, "amount": 100, "amount_paid": 0, "amount_due": 100, "currency": "INR", "receipt": None,
                "status": "created", "attempts": 0, "notes": [],
            }  # fmt: skip
            fakes.razorpay.pay(order, capture="auto")
        fakes.pump.plan(duplicate=3, shuffle=True, drop=0.2, old_secret_share=0.5)
        return [body.partition(b'"created_at"')[0] for _, body, _ in fakes.pump.deliveries("razorpay")]


def test_the_seed_decides() -> None:
    assert scene(1) == scene(1)
    assert scene(1) != scene(2)


def test_another_run_has_other_names_and_the_same_secrets() -> None:
    first, second = Providers(seed=1, run="a"), Providers(seed=1, run="b")
    assert first.stripe.new_id("cs_") != second.stripe.new_id("cs_")
    assert first.stripe.webhook_secret == second.stripe.webhook_secret
    assert first.razorpay.key_secret == second.razorpay.key_secret


def test_copies_and_order(fakes: Providers, new_order: Make) -> None:
    fakes.razorpay.pay(new_order()["id"], capture="auto")
    fakes.pump.plan(duplicate=4)
    ids = [headers["x-razorpay-event-id"] for _, _, headers in fakes.pump.deliveries("razorpay")]
    assert ids == [event.id for event in fakes.razorpay.events for _ in range(4)]
    assert fakes.pump.deliveries("razorpay") == []


def test_drop_and_old_secrets(fakes: Providers, new_order: Make) -> None:
    fakes.razorpay.pay(new_order()["id"])
    fakes.pump.plan(drop=1.0)
    assert fakes.pump.deliver(lambda *call: 200) == []
    fakes.razorpay.decline(new_order()["id"])
    fakes.pump.plan(old_secret_share=1.0)
    signed = fakes.razorpay.sign(fakes.razorpay.events[-1], fakes.razorpay.old_webhook_secret)
    assert fakes.pump.deliveries("razorpay") == [("razorpay", *signed)]


def test_a_refused_call_is_tried_three_times(fakes: Providers, new_session: Make) -> None:
    fakes.stripe.decline(new_session().id)
    assert fakes.pump.deliver(lambda *call: 500, threads=4) == [500] * 3 * len(fakes.stripe.events)
    fakes.stripe.expire(new_session().id)
    assert fakes.pump.deliver(lambda *call: 204) == [204]
    assert [event.delivered for event in fakes.stripe.events][-1]


def test_what_a_call_causes_is_delivered_too(fakes: Providers, razorpay_sdk: object, new_order: Make) -> None:
    payment = fakes.razorpay.pay(new_order()["id"])

    def send(provider: str, body: bytes, headers: dict[str, str]) -> int:
        if b"payment.authorized" in body:
            razorpay_sdk.payment.capture(payment, 12345, {"currency": "INR"})  # type: ignore[attr-defined]
        return 200

    assert fakes.pump.deliver(send) == [200, 200, 200]


def test_events_go_out_as_they_happen(fakes: Providers, new_session: Make) -> None:
    heard: list[tuple[str, str]] = []
    enough = threading.Event()

    class Shop(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            event = stripe.Webhook.construct_event(body, self.headers["Stripe-Signature"], fakes.stripe.webhook_secret)
            self.send_response(200 if heard else 503)
            self.end_headers()
            heard.append((self.path, event.type))
            if len(heard) == 5:
                enough.set()

        def log_message(self, *args: object) -> None:
            pass

    shop = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    fakes.pump.to(f"http://127.0.0.1:{shop.server_address[1]}/payments/webhooks/")
    fakes.stripe.pay(new_session().id)
    assert enough.wait(5)
    shop.shutdown()
    shop.server_close()
    assert {path for path, _ in heard} == {"/payments/webhooks/stripe/"}
    assert {kind for _, kind in heard} == {event.type for event in fakes.stripe.events}
