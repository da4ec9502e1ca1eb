"""What payers and banks do at Razorpay; every step queues the events Razorpay sends for it."""

from __future__ import annotations

import copy
from typing import Any

from tests.fakes.providers.fake import Event, Fake, found
from tests.fakes.providers.wire import Refused

from . import shapes

Json = dict[str, Any]


class Payer(Fake):
    """State of the provider and all that changes it. Its entities do not say whether they are live: the key does."""

    def __init__(self, seed: int, run: str = "") -> None:
        super().__init__(seed, run)
        self.orders: dict[str, Json] = {}
        self.payments: dict[str, Json] = {}
        self.auto_capture: set[str] = set()
        self.account_id = self.ids.make("acc_", 14)

    def shelf(self, kind: str) -> dict[str, Json]:
        mine = {"checkouts": self.orders, "charges": self.payments}
        return mine[kind] if kind in mine else super().shelf(kind)

    def new_id(self, prefix: str) -> str:
        return self.ids.make(prefix, 14)

    def emit(self, kind: str, **parts: Json) -> Event:
        """Queue an event about ``payment=``, ``order=`` and so on. The id goes into a header only."""
        now = self.now()
        payload = {
            "entity": "event",
            "account_id": self.account_id,
            "event": kind,
            "contains": list(parts),
            "payload": {name: {"entity": copy.deepcopy(part)} for name, part in parts.items()},
            "created_at": now,
        }
        return self.record(Event(self.new_id(""), kind, payload, now))

    def money(self) -> dict[str, int]:
        """Paise: captured, and refunded or being refunded."""
        with self.lock:
            taken = [payment for payment in self.payments.values() if payment["captured"]]
            return {
                "captured": sum(payment["amount"] for payment in taken),
                "refunded": sum(payment["amount_refunded"] for payment in taken),
            }

    def _try(self, order_id: str, method: str, how: Json) -> Json:
        order = found(self.orders, order_id, "order")
        if order["status"] == "paid":
            raise ValueError(f"order {order_id} is paid")
        payment = shapes.payment(order, method, self.new_id("pay_"), self.now())
        if how.get("amount") is not None:
            payment["amount"] = payment["base_amount"] = how["amount"]
        if how.get("currency") is not None:
            payment["currency"] = how["currency"].upper()
        if how.get("reference") is not None:
            order["receipt"] = how["reference"]
        order["attempts"] += 1
        order["status"] = "attempted"
        self.payments[payment["id"]] = payment
        return payment

    def pay(self, order_id: str, method: str = "card", capture: str | None = None, **how: Any) -> str:
        """The bank reserves the money; with ``capture="auto"`` it is taken at once. -> pay_ id.

        ``amount``, ``currency`` and ``reference`` (the order's receipt) make it differ.
        """
        with self.lock:
            payment = self._try(order_id, method, how)
            self._authorize(payment, capture)
            return str(payment["id"])

    def _authorize(self, payment: Json, capture: str | None) -> None:
        shapes.authorized(payment)
        self.emit("payment.authorized", payment=payment)
        wanted = capture == "auto" or payment["order_id"] in self.auto_capture
        if wanted and self.orders[payment["order_id"]]["status"] != "paid":
            self.take(payment)

    def take(self, payment: Json) -> None:
        """Capture: two events for one fact."""
        order = self.orders[payment["order_id"]]
        if order["status"] == "paid":
            raise Refused(400, "Order already paid")
        shapes.captured(payment)
        paid = min(payment["amount"], order["amount"])
        order.update(status="paid", amount_paid=paid, amount_due=order["amount"] - paid)
        self.emit("payment.captured", payment=payment)
        self.emit("order.paid", payment=payment, order=order)

    def decline(self, order_id: str, method: str = "card") -> str:
        """The bank says no; the order stays "attempted". -> pay_ id."""
        with self.lock:
            payment = self._try(order_id, method, {})
            shapes.failed(payment)
            self.emit("payment.failed", payment=payment)
            return str(payment["id"])

    def authorize_late(self, key: str, capture: str | None = None) -> str:
        """A failed payment (or the last one of an order) turns out authorized after all. -> pay_ id."""
        with self.lock:
            tries = [one for one in self.payments.values() if key in (one["id"], one["order_id"])]
            broken = [one for one in tries if one["status"] == "failed"]
            if not broken:
                raise ValueError(f"nothing failed at {key}")
            self._authorize(broken[-1], capture)
            return str(broken[-1]["id"])

    def expire(self, key: str) -> None:
        """Orders do not expire."""
        raise NotImplementedError("Razorpay orders do not expire")

    def payment_of(self, key: str) -> Json:
        """The payment behind a pay_ id, or the last good one of an order."""
        if key in self.orders:
            tries = [one for one in self.payments.values() if one["order_id"] == key and one["status"] != "failed"]
            key = tries[-1]["id"] if tries else key
        return found(self.payments, key, "payment")
