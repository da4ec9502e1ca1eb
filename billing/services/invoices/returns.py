"""Money of an invoice that goes back to the payer, or comes back after all: what that does to the invoice.

What lies in the organisation's balance because of this invoice (paid too much, or taken back by a credit note) goes
first: that was not owed, and the invoice stays as it is. Whatever goes back beyond it was owed, and is due again: a
paid invoice is open again. Where neither is there any more, because the balance has paid another invoice meanwhile,
the balance goes below nothing, and what comes in next fills it.
"""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction
from django.db.models import F, Sum

from audit import services as audit
from billing.models import INVOICE_TRANSITIONS, CreditEntry, Invoice, InvoiceReturn, InvoiceStatus
from billing.selectors.documents.invoices import OF_RETURNS
from billing.services.invoices.drafts import lock_organisations
from billing.services.invoices.issue import balance, settle_if_paid
from billing.services.invoices.write_offs import take_back_write_off
from core.context import Actor
from core.money import places, quantize
from core.states import transition

NOUGHT = Decimal(0)


@transaction.atomic
def follow_returns(*, actor: Actor, invoice: Invoice, source: str, gone: Decimal, reason: str = "") -> Decimal:
    """``gone`` is what in all of the payment ``source`` is no longer ours; the invoice and the balance follow it.

    Returns what changed by this call: 0 for a repeat, below 0 when money came back after all.
    """
    lock_organisations([invoice.organisation_id])
    invoice.refresh_from_db()
    more = gone - returned(invoice, source)
    if not more:
        return more
    before = invoice.status
    from_balance = _give_back(invoice, more) if more > 0 else _take_in(actor, invoice, -more)
    if from_balance:
        CreditEntry.objects.create(
            organisation=invoice.organisation, amount=-from_balance, currency=invoice.currency, invoice=invoice,
            reason=f"{OF_RETURNS[more < 0]}{source}", created_by=actor.name,
        )  # fmt: skip
    row = InvoiceReturn.objects.create(
        invoice=invoice, amount=more, from_balance=from_balance, currency=invoice.currency, source=source,
        reason=reason, created_by=actor.name,
    )  # fmt: skip
    audit.record(
        actor=actor, action="invoice_return", target=str(invoice), entity=invoice,
        changes={"status": [before, invoice.status]} if before != invoice.status else {},
        extra={"return": row.pk, "source": source, "amount": more, "currency": invoice.currency,
               "from_balance": from_balance, "due": invoice.amount_due, **({"reason": reason} if reason else {})},
    )  # fmt: skip
    settle_if_paid(actor, invoice)
    return more


def returned(invoice: Invoice, source: str) -> Decimal:
    """What of the payment ``source`` has gone back so far."""
    rows = InvoiceReturn.objects.filter(invoice=invoice, source=source)
    return quantize(Decimal(rows.aggregate(sum=Sum("amount"))["sum"] or 0), places(invoice.currency))


def in_balance(invoice: Invoice) -> Decimal:
    """What lies in the organisation's balance because of this invoice and has not paid another one."""
    entries = CreditEntry.objects.filter(invoice=invoice)
    own = quantize(Decimal(entries.aggregate(sum=Sum("amount"))["sum"] or 0), places(invoice.currency))
    return max(min(own, balance(invoice.organisation, invoice.currency)), NOUGHT)


def _give_back(invoice: Invoice, amount: Decimal) -> Decimal:
    """What of it the balance gives. The rest is due again."""
    held = min(amount, in_balance(invoice))
    owed = min(amount - held, invoice.amount_paid)
    if owed:
        Invoice.objects.filter(pk=invoice.pk).update(
            amount_paid=F("amount_paid") - owed, amount_due=F("amount_due") + owed
        )
        if invoice.status == InvoiceStatus.PAID:
            transition(invoice, InvoiceStatus.FINALIZED, table=INVOICE_TRANSITIONS, paid_at=None)
        invoice.refresh_from_db()
    return amount - owed


def _take_in(actor: Actor, invoice: Invoice, amount: Decimal) -> Decimal:
    """As a payment would: what is due first, and what was given up. What goes to the balance, with a minus."""
    take_back_write_off(actor=actor, invoice=invoice, reason="its money came back", up_to=amount)
    used = min(amount, invoice.amount_due) if invoice.status == InvoiceStatus.FINALIZED else NOUGHT
    if used:
        Invoice.objects.filter(pk=invoice.pk).update(
            amount_paid=F("amount_paid") + used, amount_due=F("amount_due") - used
        )
        invoice.refresh_from_db()
    return used - amount
