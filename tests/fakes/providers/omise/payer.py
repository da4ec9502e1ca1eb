"""What payers and banks do at Omise; every step queues the events Omise sends for it."""

from __future__ import annotations

import copy
from typing import Any

from tests.fakes.providers.fake import Event, Fake, found
from tests.fakes.providers.ids import LOWER

from . import shapes

Json = dict[str, Any]
DAY = 86400


class Payer(Fake):
    """State of the provider and all that changes it from outside the API."""

    def __init__(self, seed: int, run: str = "") -> None:
        super().__init__(seed, run)
        self.sources: dict[str, Json] = {}
        self.charges: dict[str, Json] = {}
        self.links: dict[str, Json] = {}
        self.ends: dict[str, int] = {}  # by pending charge: unix seconds
        self.promptpay_refundable = True

    def shelf(self, kind: str) -> dict[str, Json]:
        """A checkout is what our product opened: links, and charges that no link made. Charges are in any state."""
        if kind == "checkouts":
            return {**self.links, **{key: one for key, one in self.charges.items() if not one["link"]}}
        return self.charges if kind == "charges" else super().shelf(kind)

    def new_id(self, kind: str) -> str:
        return self.ids.make(f"{kind}_" if self.live else f"{kind}_test_", 19, LOWER)

    def emit(self, key: str, thing: Json) -> Event:
        """Queue an event with a snapshot of ``thing`` as it is now."""
        name, now = self.new_id("evnt"), self.now()
        payload = {
            "object": "event",
            "id": name,
            "livemode": thing["livemode"],
            "location": f"/events/{name}",
            "webhook_deliveries": [],
            "data": copy.deepcopy(thing),
            "key": key,
            "created_at": shapes.moment(now),
        }
        return self.record(Event(name, key, payload, now))

    def money(self) -> dict[str, int]:
        """Satang: captured, and refunded or being refunded."""
        with self.lock:
            return {
                "captured": sum(charge["captured_amount"] for charge in self.charges.values()),
                "refunded": sum(charge["refunded_amount"] for charge in self.charges.values()),
            }

    def open_charge(self, **known: Any) -> Json:
        """A pending charge; ``ends`` unix seconds (default: a day)."""
        now = self.now()
        key, ends = self.new_id("chrg"), known.pop("ends", None) or now + DAY
        kind = known["source"]["type"] if known.get("source") else "card"
        rate = {"fee_flat": "0.0", "fee_rate": shapes.RATES.get(kind, "3.65"), "vat_rate": "7.0"}
        charge = shapes.charge(
            key, now, livemode=self.live, expires_at=shapes.moment(ends), transaction_fees=rate, **known
        )
        if charge["source"]:
            self._dress(charge)
        self.charges[key] = charge
        self.ends[key] = ends
        self.emit("charge.create", charge)
        return charge

    def _dress(self, charge: Json) -> None:
        """Inside a charge a source shows its state and, for PromptPay, its QR."""
        source = charge["source"] = copy.deepcopy(charge["source"])
        source["charge_status"] = "pending"
        if source["type"] == "promptpay":
            document, token = self.new_id("docu"), self.ids.make("", 32).upper()
            source["scannable_code"] = shapes.scannable(
                charge["id"], document, token, charge["livemode"], self.now(), self.url
            )
        self.sources[source["id"]]["charge_status"] = "pending"

    def _pending(self, key: str, how: Json | None = None) -> Json:
        """The charge to decide about; a link first makes its charge."""
        how = how or {}
        if key in self.links:
            link = self.links[key]
            if link["used"] and not link["multiple"]:
                raise ValueError(f"link {key} is used")
            known = {name: link[name] for name in ("amount", "currency", "description")}
            card = shapes.card(self.new_id("card"), link["livemode"], self.now())
            charge = self.open_charge(**known, link=key, card=card, metadata={})
            link["charges"]["data"].append(charge)
            link["charges"]["total"] += 1
        else:
            charge = found(self.charges, key, "charge")
        if charge["status"] != "pending":
            raise ValueError(f"charge {charge['id']} is {charge['status']}")
        if how.get("amount") is not None:
            charge.update(dict.fromkeys(("amount", "authorized_amount", "original_amount"), how["amount"]))
        if how.get("currency") is not None:
            charge.update(dict.fromkeys(("currency", "funding_currency"), how["currency"].upper()))
        if how.get("live") is not None:
            charge["livemode"] = how["live"]
        if how.get("reference") is not None:
            charge.update(metadata=dict.fromkeys(charge["metadata"], how["reference"]), description=how["reference"])
        return charge

    def _end(self, charge: Json, status: str, **known: Any) -> None:
        charge.update(status=status, **known)
        self.ends.pop(charge["id"], None)
        if charge["source"]:
            charge["source"]["charge_status"] = status
            self.sources[charge["source"]["id"]]["charge_status"] = status

    def pay(self, key: str, method: str | None = None, **how: Any) -> str:
        """The payer pays a charge or a link. ``amount``, ``currency``, ``live``, ``reference`` make it differ.

        The source says how, so ``method`` changes nothing. -> chrg_ id.
        """
        with self.lock:
            charge = self._pending(key, how)
            fee = round(charge["amount"] * float(charge["transaction_fees"]["fee_rate"]) / 100)
            vat = round(fee * 0.07)
            back = charge["source"] is None or self.promptpay_refundable
            self._end(
                charge,
                "successful",
                authorized=True,
                captured_amount=charge["amount"],
                funding_amount=charge["amount"],
                disputable=charge["source"] is None,
                fee=fee,
                fee_vat=vat,
                net=charge["amount"] - fee - vat,
                paid=True,
                paid_at=shapes.moment(self.now()),
                partially_refundable=back,
                refundable=back,
                transaction=self.new_id("trxn"),
            )
            link = self.links.get(charge["link"] or "")
            if link:
                link.update(used=True, used_at=shapes.moment(self.now()))
            self.emit("charge.complete", charge)
            return str(charge["id"])

    def decline(self, key: str) -> str:
        """The bank says no. A charge is over with that; a link can be tried again. -> chrg_ id."""
        with self.lock:
            charge = self._pending(key)
            code, text = "payment_rejected", "the payment was rejected by the issuer"
            self._end(charge, "failed", failure_code=code, failure_message=text)
            self.emit("charge.complete", charge)
            return str(charge["id"])

    def expire(self, key: str) -> None:
        """A pending charge runs out. Links do not."""
        with self.lock:
            if key in self.links:
                raise NotImplementedError("Omise links do not expire")
            charge = self._pending(key)
            self._end(charge, "expired", expired=True, expired_at=shapes.moment(self.now()))
            self.emit("charge.expire", charge)
            self.emit("charge.complete", charge)

    def tick(self) -> None:
        for key, ends in list(self.ends.items()):
            if ends <= self.now():
                self.expire(key)

    def charge_of(self, key: str) -> Json:
        """The charge behind a chrg_ id, or the last good one of a link."""
        if key in self.links:
            good = [one["id"] for one in self.links[key]["charges"]["data"] if one["paid"]]
            key = good[-1] if good else key
        return found(self.charges, key, "charge")
