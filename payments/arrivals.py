"""What an amount will do once it is accepted for a receipt, in words, before anybody decides."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Sum
from django.utils.translation import gettext as _

from billing.models import Receipt, ReceiptStatus
from core.money import from_minor, to_minor
from core.wording import money_text
from payments.models import BankTransfer, Payment, PaymentStatus, TransferStatus


@dataclass(frozen=True, slots=True)
class Arrival:
    """``short`` and ``over`` in minor units; ``blocked`` when the receipt takes no money."""

    receipt: Receipt
    short: int = 0
    over: int = 0
    blocked: bool = False

    @property
    def words(self) -> str:
        names = {"receipt": self.receipt, "sum": self._money(self.short or self.over)}
        if self.blocked and self.receipt.status == ReceiptStatus.PAID and self.over:
            return _("Receipt %(receipt)s is paid already; %(sum)s becomes a credit to be looked at.") % names
        if self.blocked:
            status = {**names, "status": self.receipt.get_status_display()}
            return _("Receipt %(receipt)s is %(status)s; the money waits for review.") % status
        if self.short:
            return _("Receipt %(receipt)s stays unpaid: %(sum)s is missing; the payment waits for the rest.") % names
        if self.over:
            return _("Receipt %(receipt)s becomes paid; %(sum)s above it stays a credit.") % names
        return _("Receipt %(receipt)s becomes paid.") % names

    def _money(self, minor: int) -> str:
        return money_text(from_minor(minor, self.receipt.currency), self.receipt.currency)


def arrival(receipt: Receipt, payment: Payment | None, received_minor: int) -> Arrival:
    """Of ``received_minor`` accepted on ``payment``, or on a new one where there is none yet."""
    if receipt.status != ReceiptStatus.PENDING:
        return Arrival(receipt, over=received_minor, blocked=True)
    if payment is not None and payment.status == PaymentStatus.SUCCEEDED:
        return Arrival(receipt, over=received_minor, blocked=True)
    have = arrived_minor(payment) - payment.refunded_cents if payment is not None else 0
    rest = to_minor(receipt.total, receipt.currency) - have - received_minor
    return Arrival(receipt, short=max(rest, 0), over=max(-rest, 0))


def arrived_minor(payment: Payment) -> int:
    """The sum of its accepted transfers."""
    accepted = BankTransfer.objects.filter(payment=payment, status=TransferStatus.ACCEPTED)
    return accepted.aggregate(total=Sum("received_cents"))["total"] or 0
