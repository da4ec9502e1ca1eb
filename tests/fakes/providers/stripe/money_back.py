"""Refunds and disputes at Stripe."""

from __future__ import annotations

from typing import Any

from tests.fakes.providers.fake import found

from . import shapes
from .payer import Payer, refusal

Json = dict[str, Any]


class MoneyBack(Payer):
    """What leaves again after a payment."""

    def make_refund(self, charge: Json, amount: int | None, **known: Any) -> Json:
        """A refund of ``amount`` (None: all that is left). PromptPay is never immediate."""
        left = charge["amount_captured"] - charge["amount_refunded"]
        if charge["status"] != "succeeded":
            raise refusal(f"Charge {charge['id']} has not succeeded.", param="charge")
        if charge["disputed"] and any(
            one["charge"] == charge["id"] and one["status"] != "won" for one in self.disputes.values()
        ):
            raise refusal(f"Charge {charge['id']} has been charged back; cannot issue a refund.", "charge_disputed")
        if left <= 0:
            raise refusal(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
        if amount is not None and amount > left:
            asked, rest, currency = amount / 100, left / 100, charge["currency"].upper()
            text = f"Refund amount ({asked:.2f} {currency}) is greater than unrefunded amount on charge"
            raise refusal(f"{text} ({rest:.2f} {currency})", param="amount")
        slow = charge["payment_method_details"]["type"] == "promptpay"
        status = "pending" if slow or self.refunds_pending else "succeeded"
        if slow and known.get("instructions_email"):
            status = "requires_action"
        refund = shapes.refund(
            charge, left if amount is None else amount, status, id=self.new_id("re_3"), created=self.now(), **known
        )
        self.refunds[refund["id"]] = refund
        self._count(charge, refund["amount"])
        self.emit("refund.created", refund)
        return refund

    def _count(self, charge: Json, change: int) -> None:
        before = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
        charge["amount_refunded"] += change
        charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
        self.emit("charge.refunded" if change > 0 else "charge.updated", charge, before)

    def refund_in_dashboard(self, charge_id: str, amount: int | None = None) -> str:
        """Finance refunds at the provider, past our program. -> re_ id."""
        with self.lock:
            known = {"metadata": {}, "reason": "requested_by_customer"}
            return str(self.make_refund(self.charge_of(charge_id), amount, **known)["id"])

    def finish_refund(self, refund_id: str, succeeded: bool = True) -> None:
        """A pending refund ends; ``succeeded=False`` also after it had succeeded: the bank sends the money back."""
        with self.lock:
            refund = found(self.refunds, refund_id, "refund")
            if refund["status"] in ("failed", "canceled") or (succeeded and refund["status"] == "succeeded"):
                raise ValueError(f"refund {refund_id} is {refund['status']}")
            before = {"status": refund["status"]}
            refund["status"] = "succeeded" if succeeded else "failed"
            if not succeeded:
                refund.update(failure_reason="lost_or_stolen_card", failure_balance_transaction=self.new_id("txn_3"))
                self._count(self.charges[refund["charge"]], -refund["amount"])
            self.emit("refund.updated", refund, before)
            self.emit("charge.refund.updated", refund, before)
            if not succeeded:
                self.emit("refund.failed", refund)

    def open_dispute(self, charge_id: str, amount: int | None = None, reason: str = "fraudulent") -> str:
        """The payer's bank takes ``amount`` back (None: all of it). -> du_ id."""
        with self.lock:
            charge = self.charge_of(charge_id)
            dispute = shapes.dispute(charge, amount or charge["amount"], reason, self.new_id("du_1"), self.now())
            charge["disputed"] = True
            self.disputes[dispute["id"]] = dispute
            self.emit("charge.dispute.created", dispute)
            self._move(dispute, -dispute["amount"])
            self.emit("charge.dispute.funds_withdrawn", dispute)
            return str(dispute["id"])

    def _move(self, dispute: Json, amount: int) -> None:
        """A line of the balance: what the dispute took or gave back, minor units."""
        line = {"id": self.new_id("txn_3"), "object": "balance_transaction", "amount": amount, "type": "adjustment"}
        dispute["balance_transactions"].append({**line, "currency": dispute["currency"], "created": self.now()})

    def close_dispute(self, dispute_id: str, won: bool) -> None:
        with self.lock:
            dispute = found(self.disputes, dispute_id, "dispute")
            if dispute["status"] in ("won", "lost"):
                raise ValueError(f"dispute {dispute_id} is {dispute['status']}")
            before = {"status": dispute["status"]}
            dispute["status"] = "won" if won else "lost"
            if won:
                self._move(dispute, dispute["amount"])
                self.emit("charge.dispute.funds_reinstated", dispute)
            self.emit("charge.dispute.closed", dispute, before)
