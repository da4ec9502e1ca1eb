"""Refunds and disputes at Omise."""

from __future__ import annotations

from typing import Any

from tests.fakes.providers.fake import found
from tests.fakes.providers.wire import Refused

from . import shapes
from .payer import Payer

Json = dict[str, Any]
LEAST = 20  # satang


class MoneyBack(Payer):
    """What leaves again after a payment."""

    def make_refund(self, charge: Json, amount: int | None, metadata: Json) -> Json:
        """A refund of ``amount`` satang (None: all that is left)."""
        left = charge["captured_amount"] - charge["refunded_amount"]
        amount = left if amount is None else amount
        if not charge["paid"] or charge["status"] != "successful":
            raise Refused(400, "charge was not paid", code="failed_refund")
        if charge["source"] and not self.promptpay_refundable:
            raise Refused(400, "charge is not refundable", code="failed_refund")
        if amount > left or left <= 0:
            raise Refused(400, f"amount must be less than or equal to {left}", code="failed_refund")
        if amount < LEAST:
            raise Refused(400, f"amount must be at least {LEAST}", code="failed_refund")
        status = "pending" if self.refunds_pending else "closed"
        refund = shapes.refund(self.new_id("rfnd"), charge, amount, status, self.now(), metadata)
        self.refunds[refund["id"]] = refund
        charge["refunds"]["data"].append(refund)
        charge["refunds"]["total"] += 1
        self._count(charge, amount)
        self.emit("refund.create", refund)
        return refund

    def _count(self, charge: Json, change: int) -> None:
        charge["refunded_amount"] += change
        whole = charge["refunded_amount"] == charge["captured_amount"]
        charge.update(refundable=not whole, partially_refundable=not whole)

    def refund_in_dashboard(self, charge_id: str, amount: int | None = None) -> str:
        """Finance refunds at the provider, past our program. -> rfnd_ id."""
        with self.lock:
            return str(self.make_refund(self.charge_of(charge_id), amount, {})["id"])

    def finish_refund(self, refund_id: str, succeeded: bool = True) -> None:
        """A pending refund ends; ``succeeded=False`` also after it had closed. Omise sends no event for it: ask."""
        with self.lock:
            refund = found(self.refunds, refund_id, "refund")
            if refund["status"] == "failed" or (succeeded and refund["status"] == "closed"):
                raise ValueError(f"refund {refund_id} is {refund['status']}")
            refund["status"] = "closed" if succeeded else "failed"
            refund["transaction"] = self.new_id("trxn") if succeeded else None
            if not succeeded:
                self._count(self.charges[refund["charge"]], -refund["amount"])

    def open_dispute(self, charge_id: str, amount: int | None = None, reason: str = "fraudulent") -> str:
        """The payer's bank wants ``amount`` back (None: all of it). -> dspt_ id."""
        with self.lock:
            charge = self.charge_of(charge_id)
            key = self.new_id("dspt")
            dispute = shapes.dispute(key, charge, amount or charge["amount"], reason, self.now())
            self.disputes[key] = charge["dispute"] = dispute
            charge["disputable"] = False
            self.emit("dispute.create", dispute)
            return key

    def close_dispute(self, dispute_id: str, won: bool) -> None:
        with self.lock:
            dispute = found(self.disputes, dispute_id, "dispute")
            if dispute["status"] in ("won", "lost"):
                raise ValueError(f"dispute {dispute_id} is {dispute['status']}")
            dispute["status"] = "pending"
            self.emit("dispute.update", dispute)
            dispute.update(status="won" if won else "lost", closed_at=shapes.moment(self.now()))
            self.emit("dispute.close", dispute)
