"""Refunds and disputes at Razorpay."""

from __future__ import annotations

from typing import Any

from tests.fakes.providers.fake import found
from tests.fakes.providers.wire import Refused

from . import shapes
from .payer import Payer

Json = dict[str, Any]


class MoneyBack(Payer):
    """What leaves again after a payment."""

    def make_refund(self, payment: Json, amount: int | None, **known: Any) -> Json:
        """A refund of ``amount`` paise (None: all that is left)."""
        left = payment["amount"] - payment["amount_refunded"]
        if not payment["captured"]:
            raise Refused(400, "The payment status should be captured for action to be taken")
        if left <= 0:
            raise Refused(400, "The payment has been fully refunded already")
        amount = left if amount is None else amount
        if amount > left:
            raise Refused(400, "The total refund amount is greater than the refund payment amount", field="amount")
        if amount < min(100, left):
            raise Refused(400, "The amount must be atleast INR 1.00", field="amount")
        status = "pending" if self.refunds_pending else "processed"
        refund = shapes.refund(payment, amount, status, id=self.new_id("rfnd_"), created_at=self.now(), **known)
        if not self.refunds_pending:
            refund["acquirer_data"] = {"arn": refund["id"][5:].upper()}
        self.refunds[refund["id"]] = refund
        self._count(payment, amount)
        self.emit("refund.created", refund=refund, payment=payment)
        if refund["status"] == "processed":
            self.emit("refund.processed", refund=refund, payment=payment)
        return refund

    def _count(self, payment: Json, change: int) -> None:
        refunded = payment["amount_refunded"] + change
        whole = refunded == payment["amount"]
        payment.update(
            amount_refunded=refunded,
            status="refunded" if whole else "captured",
            refund_status="full" if whole else "partial" if refunded else None,
        )

    def refund_in_dashboard(self, charge_id: str, amount: int | None = None) -> str:
        """Finance refunds at the provider, past our program. -> rfnd_ id."""
        with self.lock:
            return str(self.make_refund(self.payment_of(charge_id), amount)["id"])

    def finish_refund(self, refund_id: str, succeeded: bool = True) -> None:
        """A pending refund ends; ``succeeded=False`` also after it had been processed."""
        with self.lock:
            refund = found(self.refunds, refund_id, "refund")
            if refund["status"] == "failed" or (succeeded and refund["status"] == "processed"):
                raise ValueError(f"refund {refund_id} is {refund['status']}")
            payment = self.payments[refund["payment_id"]]
            refund["status"] = "processed" if succeeded else "failed"
            if succeeded:
                refund["acquirer_data"] = {"arn": refund_id[5:].upper()}
            else:
                self._count(payment, -refund["amount"])
            self.emit("refund.processed" if succeeded else "refund.failed", refund=refund, payment=payment)

    def open_dispute(self, charge_id: str, amount: int | None = None, reason: str = "fraudulent") -> str:
        """The payer's bank wants ``amount`` back (None: all of it). -> disp_ id."""
        with self.lock:
            payment = self.payment_of(charge_id)
            dispute = shapes.dispute(payment, amount or payment["amount"], reason, self.new_id("disp_"), self.now())
            self.disputes[dispute["id"]] = dispute
            self.emit("payment.dispute.created", payment=payment, dispute=dispute)
            return str(dispute["id"])

    def close_dispute(self, dispute_id: str, won: bool) -> None:
        with self.lock:
            dispute = found(self.disputes, dispute_id, "dispute")
            if dispute["status"] in ("won", "lost"):
                raise ValueError(f"dispute {dispute_id} is {dispute['status']}")
            dispute.update(status="won" if won else "lost", amount_deducted=0 if won else dispute["amount"])
            payment = self.payments[dispute["payment_id"]]
            self.emit(f"payment.dispute.{dispute['status']}", payment=payment, dispute=dispute)
