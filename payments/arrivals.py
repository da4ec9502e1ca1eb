"""What an amount will do once it is accepted for a receipt or an invoice, in words, before anybody decides."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Sum
from django.utils.translation import gettext as _

from billing.models import ReceiptStatus
from core.money import from_minor, to_minor
from core.words.wording import money_text
from payments.models import BankTransfer, Payment, PaymentStatus, TransferStatus
from payments.payables import Payable, payable_of


@dataclass(frozen=True, slots=True)
class Arrival:
    """``short`` and ``over`` in minor units; ``blocked`` when it takes no money."""

    target: Payable
    short: int = 0
    over: int = 0
    blocked: bool = False

    @property
    def words(self) -> str:
        names = {"document": self.target.name, "sum": self._money(self.short or self.over),
                 "status": self.target.standing}  # fmt: skip
        if self.blocked and self.target.status == ReceiptStatus.PAID and self.over:
            return _("%(document)s is paid already; %(sum)s becomes a credit to be looked at.") % names
        if self.blocked:
            return _("%(document)s is %(status)s; the money waits for review.") % names
        if self.target.takes_parts:
            return self._of_invoice(names)
        if self.short:
            return _("%(document)s stays unpaid: %(sum)s is missing; the payment waits for the rest.") % names
        if self.over:
            return _("%(document)s becomes paid; %(sum)s above it stays a credit.") % names
        return _("%(document)s becomes paid.") % names

    def _of_invoice(self, names: dict[str, str]) -> str:
        if self.short:
            return _("It is paid for %(document)s in part; %(sum)s stays due.") % names
        if self.over:
            return _("%(document)s is paid; %(sum)s stays in its organisation's favour.") % names
        return _("%(document)s becomes paid.") % names

    def _money(self, minor: int) -> str:
        return money_text(from_minor(minor, self.target.currency), self.target.currency)


def arrival(target: Payable, payment: Payment | None, received_minor: int) -> Arrival:
    """Of ``received_minor`` accepted on ``payment``, or on a new one where there is none yet."""
    due = to_minor(target.due, target.currency)
    if target.takes_parts:
        rest = due - received_minor
        return Arrival(target, short=max(rest, 0), over=max(-rest, 0), blocked=not target.takes)
    if not target.waits:
        return Arrival(target, over=received_minor, blocked=True)
    if payment is not None and payment.status == PaymentStatus.SUCCEEDED:
        return Arrival(target, over=received_minor, blocked=True)
    have = arrived_minor(payment) - payment.refunded_cents if payment is not None else 0
    rest = due - have - received_minor
    return Arrival(target, short=max(rest, 0), over=max(-rest, 0))


def arrival_of(transfer: BankTransfer, received_minor: int) -> Arrival:
    """Of a reported transfer that is accepted with ``received_minor``."""
    return arrival(payable_of(transfer.payment), transfer.payment, received_minor)


def arrived_minor(payment: Payment) -> int:
    """The sum of its accepted transfers."""
    accepted = BankTransfer.objects.filter(payment=payment, status=TransferStatus.ACCEPTED)
    return accepted.aggregate(total=Sum("received_cents"))["total"] or 0
