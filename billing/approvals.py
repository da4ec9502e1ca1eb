"""What of receipts and invoices may need a second person."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Approval
from accounts.services.approvals import Act
from billing.models import Invoice, InvoicePayment, Receipt
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment_by_hand, reverse_payment
from billing.services.invoices.write_offs import write_off_invoice
from billing.services.receipts import mark_paid_by_hand
from core.context import Actor
from core.errors import Conflict


def _mark_paid(approval: Approval) -> None:
    receipt = Receipt.objects.get(pk=approval.target)
    if not mark_paid_by_hand(
        actor=Actor(approval.asked_by), receipt=receipt, tx_ref=approval.details["tx_ref"], second=approval
    ):
        raise Conflict(_("Receipt %(receipt)s was paid meanwhile; decline this.") % {"receipt": receipt})


MARK_PAID = Act(gettext_lazy("mark as paid"), "billing.mark_paid_receipt", _mark_paid)


def _pay_invoice(approval: Approval) -> None:
    invoice, details = Invoice.objects.get(pk=approval.target), approval.details
    if not record_payment_by_hand(
        actor=Actor(approval.asked_by), invoice=invoice, amount=Decimal(details["amount"]),
        reference=details["reference"], received_on=date.fromisoformat(details["received_on"]),
        overpayment=Decimal(details.get("overpayment", 0)), second=approval,
    ):  # fmt: skip
        raise Conflict(_("This payment of %(invoice)s was recorded meanwhile; decline this.") % {"invoice": invoice})


PAY_INVOICE = Act(gettext_lazy("record a payment of an invoice"), "billing.pay_invoice", _pay_invoice)


def _reverse(approval: Approval) -> None:
    payment = InvoicePayment.objects.select_related("invoice").get(pk=approval.target)
    if not reverse_payment(
        actor=Actor(approval.asked_by), payment=payment, reason=approval.details["reason"], second=approval
    ):
        raise Conflict(
            _("This payment of %(invoice)s was taken back meanwhile; decline this.") % {"invoice": payment.invoice}
        )


REVERSE_PAYMENT = Act(gettext_lazy("take a payment of an invoice back"), "billing.pay_invoice", _reverse)


def _write_off(approval: Approval) -> None:
    invoice, details = Invoice.objects.get(pk=approval.target), approval.details
    if not write_off_invoice(
        actor=Actor(approval.asked_by), invoice=invoice, reason=details["reason"],
        expected=Decimal(details["amount"]), second=approval,
    ):  # fmt: skip
        raise Conflict(_("%(invoice)s was written off meanwhile; decline this.") % {"invoice": invoice})


WRITE_OFF = Act(gettext_lazy("write an invoice off as bad debt"), "billing.write_off_invoice", _write_off)


def _credit(approval: Approval) -> None:
    details = approval.details
    lines = details["lines"] and {
        int(number): amount and Decimal(amount) for number, amount in details["lines"].items()
    }  # fmt: skip
    write_credit_note(
        actor=Actor(approval.asked_by), invoice=Invoice.objects.get(pk=approval.target), reason=details["reason"],
        lines=lines, cancel=details["cancel"], seen=Decimal(details["seen"]), seen_notes=details["seen_notes"],
        second=approval,
    )  # fmt: skip


CREDIT_INVOICE = Act(gettext_lazy("write a credit note"), "billing.credit_invoice", _credit)
