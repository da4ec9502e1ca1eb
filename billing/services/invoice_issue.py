"""Finalizing: an invoice gets its number and never changes again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Organisation
from audit import services as audit
from billing.invoicing.months import Month
from billing.invoicing.problems import HasProblems, blocking
from billing.models import (
    INVOICE_TRANSITIONS,
    ChargeKind,
    CreditEntry,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    LineKind,
    SubscriptionCharge,
)
from billing.selectors.invoice_digest import invoice_digest
from billing.services.invoicing import lock_organisations
from billing.services.numbers import INVOICES, next_number
from billing.services.receipts import TotalChanged, site_seller
from core.context import Actor
from core.errors import Conflict
from core.money import places, quantize
from core.periods import today
from core.states import transition


class NotReady(Conflict):
    """The draft does not hold all of its month yet; compute it anew."""

    code = "invoice_not_ready"


@transaction.atomic
def finalize_invoice(*, actor: Actor, invoice: Invoice, expected: Decimal | None = None) -> bool:
    """draft -> finalized, with the next number; paid at once where nothing is left to pay. False when it was already.

    What is in the organisation's favour is used for it. Raises ``HasProblems``, ``NotReady`` when the month is not over
    or was not when the draft was computed, ``TotalChanged`` when the draft asks for another sum than ``expected``.
    """
    lock_organisations([invoice.organisation_id])
    invoice.refresh_from_db()
    if invoice.status in (InvoiceStatus.FINALIZED, InvoiceStatus.PAID, InvoiceStatus.REFUNDED):
        return False
    lines = list(invoice.lines.order_by("line_number"))
    if invoice.status == InvoiceStatus.DRAFT:  # any other state the transition refuses
        _check(invoice, lines, expected)
    used = min(balance(invoice.organisation, invoice.currency), invoice.total)
    values = _issue(invoice, lines, used)
    transition(invoice, InvoiceStatus.FINALIZED, table=INVOICE_TRANSITIONS, **values)
    if used:
        _entry(actor, invoice, -used, "used for the invoice")
    _carry(invoice, lines)
    audit.record(
        actor=actor, action="invoice_finalize", target=str(invoice), entity=invoice,
        changes={"status": [InvoiceStatus.DRAFT, InvoiceStatus.FINALIZED]},
        extra={"organisation": invoice.organisation.name, "month": f"{invoice.year}-{invoice.month:02d}",
               "total": invoice.total, "currency": invoice.currency, "due": invoice.due_date,
               "from_balance": used, "digest": invoice.digest},
    )  # fmt: skip
    settle_if_paid(actor, invoice)
    return True


def _check(invoice: Invoice, lines: list[InvoiceLine], expected: Decimal | None) -> None:
    month = Month(invoice.organisation, invoice.first_day)
    if timezone.now() < month.end:
        raise NotReady(_("The month is not over yet."))
    if invoice.watermark is None or invoice.watermark < month.end:
        raise NotReady(_("The draft was computed before its month was over; refresh it."))
    if found := blocking(invoice.problems):
        raise HasProblems(_("Something on the draft has to be settled first."), problems=[e["code"] for e in found])
    if not lines:
        raise NotReady(_("There is nothing on this draft."))
    if expected is not None and expected != invoice.total:
        raise TotalChanged(_("The draft asks for another sum now; please look at it again."))


def _issue(invoice: Invoice, lines: list[InvoiceLine], used: Decimal) -> dict[str, Any]:
    """Everything that makes it a document, as one UPDATE writes it."""
    issued = today()
    due = issued + timedelta(days=settings.BILLING_INVOICE_DAYS)
    number = next_number(INVOICES, settings.BILLING_INVOICE_PREFIX, issued)
    values: dict[str, Any] = {
        "invoice_number": number.text, "fiscal_year": number.fiscal_year, "serial": number.serial,
        "issue_date": issued, "due_date": due, "seller": site_seller(), "buyer": buyer_of(invoice.organisation),
        "amount_paid": used, "amount_due": invoice.total - used, "updated_at": timezone.now(),
    }  # fmt: skip
    for name, value in values.items():
        setattr(invoice, name, value)
    taxes = invoice.taxes.order_by("category", "rate")
    return {**values, "digest": invoice_digest(invoice, lines, taxes)}


def buyer_of(organisation: Organisation) -> dict[str, str]:
    """Whom the invoice is for, as set now; each document keeps its own copy."""
    return {
        "name": organisation.name,
        "email": organisation.billing_email,
        "uuid": str(organisation.uuid),
        "time_zone": organisation.time_zone,
    }


def balance(organisation: Organisation, currency: str) -> Decimal:
    """What is in the organisation's favour."""
    rows = CreditEntry.objects.filter(organisation=organisation, currency=currency)
    return quantize(Decimal(rows.aggregate(sum=Sum("amount"))["sum"] or 0), places(currency))


def _entry(actor: Actor, invoice: Invoice, amount: Decimal, reason: str) -> CreditEntry:
    return CreditEntry.objects.create(
        organisation=invoice.organisation, amount=amount, currency=invoice.currency, invoice=invoice, reason=reason,
        created_by=actor.name,
    )  # fmt: skip


def _carry(invoice: Invoice, lines: list[InvoiceLine]) -> None:
    """A credit that was larger than the rest of the invoice becomes one of the next month."""
    for line in lines:
        if line.kind != LineKind.OTHER or "carried" not in line.source:
            continue
        month = Month(invoice.organisation, invoice.first_day)
        origin = SubscriptionCharge.objects.get(pk=line.source["charge"])
        SubscriptionCharge.objects.create(
            subscription=origin.subscription, kind=ChargeKind.CREDIT, price=origin.price,
            period_start=origin.period_start, period_end=origin.period_end, amount=-line.total,
            currency=invoice.currency, due_at=month.end,
            explanation={"carried_from": str(invoice), "charge": origin.pk},
        )  # fmt: skip


def settle_if_paid(actor: Actor, invoice: Invoice) -> bool:
    """finalized -> paid, when nothing is due any more and nothing was given up."""
    if invoice.amount_due or invoice.amount_written_off or invoice.status != InvoiceStatus.FINALIZED:
        return False
    moved = transition(invoice, InvoiceStatus.PAID, table=INVOICE_TRANSITIONS, paid_at=timezone.now())
    if moved:
        audit.record(
            actor=actor, action="invoice_paid", target=str(invoice), entity=invoice,
            changes={"status": [InvoiceStatus.FINALIZED, InvoiceStatus.PAID]},
            extra={"total": invoice.total, "currency": invoice.currency, "paid": invoice.amount_paid,
                   "credited": invoice.amount_credited},
        )  # fmt: skip
    return moved
