"""What payers and banks do at Stripe; every step queues the events Stripe sends for it."""

from __future__ import annotations

import copy
from typing import Any

from tests.fakes.providers.fake import Event, Fake, found
from tests.fakes.providers.ids import MIXED
from tests.fakes.providers.wire import Refused

from . import shapes

Json = dict[str, Any]


class Payer(Fake):
    """State of the provider and all that changes it from outside the API."""

    def __init__(self, seed: int, run: str = "") -> None:
        super().__init__(seed, run)
        self.sessions: dict[str, Json] = {}
        self.intents: dict[str, Json] = {}
        self.charges: dict[str, Json] = {}
        self.intent_metadata: dict[str, Json] = {}  # by session, for the PaymentIntent to come
        self.request_id: str | None = None
        self.idempotency_key: str | None = None

    def shelf(self, kind: str) -> dict[str, Json]:
        mine = {"checkouts": self.sessions, "charges": self.charges}
        return mine[kind] if kind in mine else super().shelf(kind)

    def new_id(self, prefix: str, length: int = 23) -> str:
        return self.ids.make(prefix, length, MIXED)

    def emit(self, kind: str, thing: Json, previous: Json | None = None) -> Event:
        """Queue an event with a snapshot of ``thing`` as it is now."""
        data: Json = {"object": copy.deepcopy(thing)}
        if previous is not None:
            data["previous_attributes"] = previous
        key, now = self.new_id("evt_1"), self.now()
        payload = {
            "id": key,
            "object": "event",
            "api_version": shapes.API_VERSION,
            "created": now,
            "data": data,
            "livemode": thing.get("livemode", self.live),
            "pending_webhooks": 1,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": kind,
        }
        return self.record(Event(key, kind, payload, now))

    def money(self) -> dict[str, int]:
        """Minor units over all currencies: captured, and refunded or being refunded."""
        with self.lock:
            return {
                "captured": sum(charge["amount_captured"] for charge in self.charges.values()),
                "refunded": sum(charge["amount_refunded"] for charge in self.charges.values()),
            }

    def _open(self, key: str) -> Json:
        session = found(self.sessions, key, "session")
        if session["status"] != "open":
            raise ValueError(f"session {key} is {session['status']}")
        return session

    def _intent(self, session: Json) -> Json:
        if session["payment_intent"]:
            return self.intents[session["payment_intent"]]
        intent = shapes.intent(session, self.intent_metadata[session["id"]], self.new_id("pi_3"), self.now())
        self.intents[intent["id"]] = intent
        session["payment_intent"] = intent["id"]
        self.emit("payment_intent.created", intent)
        return intent

    def _charge(self, intent: Json, method: str, status: str) -> Json:
        charge = shapes.charge(intent, method, status, self.new_id("ch_3"), self.now())
        if status == "succeeded":
            charge["balance_transaction"] = self.new_id("txn_3")
        self.charges[charge["id"]] = charge
        intent["latest_charge"] = charge["id"]
        intent["payment_method"] = charge["payment_method"]
        return charge

    def _bend(self, session: Json, how: Json) -> None:
        """Mismatches on purpose: the session ends with another amount, currency, mode or reference."""
        if how.get("amount") is not None:
            session["amount_total"] = session["amount_subtotal"] = how["amount"]
        if how.get("currency") is not None:
            session["currency"] = how["currency"].lower()
        if how.get("live") is not None:
            session["livemode"] = how["live"]
        if how.get("reference") is not None:
            session["client_reference_id"] = how["reference"]

    def _complete(self, session: Json, payment_status: str) -> None:
        session.update(status="complete", payment_status=payment_status, url=None)
        session["customer_details"] = {"email": "payer@example.com", "name": "Test Payer", "phone": None}
        self.emit("checkout.session.completed", session)

    def _take(self, intent: Json, charge: Json) -> None:
        intent.update(status="succeeded", amount_received=intent["amount"], last_payment_error=None, processing=None)
        self.emit("charge.succeeded", charge)
        self.emit("payment_intent.succeeded", intent)

    def pay(self, key: str, method: str = "card", **how: Any) -> str:
        """The payer pays now. ``amount``, ``currency``, ``live``, ``reference`` make it differ. -> pi_ id."""
        with self.lock:
            session = self._open(key)
            self._bend(session, how)
            intent = self._intent(session)
            intent.update(amount=session["amount_total"], currency=session["currency"], livemode=session["livemode"])
            self._take(intent, self._charge(intent, method, "succeeded"))
            self._complete(session, "paid")
            return str(intent["id"])

    def decline(self, key: str) -> str:
        """The bank says no; the session stays open for another try. -> pi_ id."""
        with self.lock:
            session = self._open(key)
            intent = self._intent(session)
            self._fail(intent, self._charge(intent, "card", "failed"), "card_declined", "Your card was declined.")
            return str(intent["id"])

    def _fail(self, intent: Json, charge: Json, code: str, text: str) -> None:
        charge.update(status="failed", failure_code=code, failure_message=text)
        wrong = {"type": "card_error", "code": code, "message": text, "charge": charge["id"]}
        intent.update(status="requires_payment_method", last_payment_error=wrong, processing=None)
        self.emit("charge.failed", charge)
        self.emit("payment_intent.payment_failed", intent)

    def pay_later(self, key: str, method: str = "promptpay") -> str:
        """The payer finished, the money is still on its way. -> pi_ id."""
        with self.lock:
            session = self._open(key)
            intent = self._intent(session)
            charge = self._charge(intent, method, "pending")
            intent["status"] = "processing"
            self.emit("charge.pending", charge)
            self.emit("payment_intent.processing", intent)
            self._complete(session, "unpaid")
            return str(intent["id"])

    def settle_later(self, key: str, succeeded: bool = True) -> None:
        """The money of ``pay_later`` arrived, or never will."""
        with self.lock:
            session = found(self.sessions, key, "session")
            intent = self.intents[session["payment_intent"]]
            if intent["status"] != "processing":
                raise ValueError(f"{intent['id']} is {intent['status']}")
            charge = self.charges[intent["latest_charge"]]
            if not succeeded:
                self._fail(intent, charge, "payment_intent_payment_attempt_failed", "The payment failed.")
                self.emit("checkout.session.async_payment_failed", session)
                return
            charge.update(status="succeeded", paid=True, captured=True, amount_captured=charge["amount"])
            charge["balance_transaction"] = self.new_id("txn_3")
            self._take(intent, charge)
            session["payment_status"] = "paid"
            self.emit("checkout.session.async_payment_succeeded", session)

    def expire(self, key: str) -> None:
        with self.lock:
            session = self._open(key)
            session.update(status="expired", url=None)
            intent = self.intents.get(session["payment_intent"] or "")
            if intent:
                intent.update(status="canceled", canceled_at=self.now(), cancellation_reason="automatic")
                self.emit("payment_intent.canceled", intent)
            self.emit("checkout.session.expired", session)

    def tick(self) -> None:
        for session in list(self.sessions.values()):
            if session["status"] == "open" and session["expires_at"] <= self.now():
                self.expire(session["id"])

    def charge_of(self, key: str) -> Json:
        """The charge behind a ch_, pi_ or cs_ id."""
        if key in self.sessions:
            key = self.sessions[key]["payment_intent"]
        if key in self.intents:
            key = self.intents[key]["latest_charge"]
        return found(self.charges, key, "charge")


def refusal(message: str, code: str | None = None, param: str | None = None) -> Refused:
    """Refused after the call began: kept under its idempotency key."""
    return Refused(400, message, stored=True, type="invalid_request_error", code=code, param=param)
