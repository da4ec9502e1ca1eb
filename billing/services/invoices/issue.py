"""Finalizing: an invoice gets its number and never changes again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Organisation
from accounts.services.announcements import announce
from audit import services as audit
from billing.announcements import FINALIZED, PAID, of_invoice, tell_of_invoice
from billing.invoicing.months import Month
from billing.invoicing.problems import HasProblems, blocking
from billing.models import (
    INVOICE_TRANSITIONS,
    CreditEntry,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    InvoiceTax,
    LineKind,
)
from billing.selectors.documents.invoice_digest import SAID_OF_LINES, invoice_digest
from billing.selectors.documents.templates import templates_for
from billing.services.invoices.drafts import lock_organisations, refresh_invoice
from billing.services.invoices.dunning import follow_dues
from billing.services.invoices.kept_credits import keep_credits
from billing.services.numbers import INVOICES, Number, document_number, next_numbers
from billing.services.receipts import TotalChanged, site_seller
from core.clock import now_for, today_for
from core.context import Actor
from core.database import sets
from core.errors import Conflict
from core.money import places, quantize
from core.periods import today
from core.states import transition, transition_all

FEW = 500
NUMBERED = (InvoiceStatus.FINALIZED, InvoiceStatus.PAID, InvoiceStatus.REFUNDED)
ISSUED = ("invoice_number", "fiscal_year", "serial", "issue_date", "due_date", "seller", "buyer", "amount_paid",
          "amount_due", "template", "digest", "updated_at")  # fmt: skip


class NotReady(Conflict):
    """The draft does not hold all of its month yet; compute it anew."""

    code = "invoice_not_ready"


def finalize_invoice(*, actor: Actor, invoice: Invoice, expected: Decimal | None = None) -> bool:
    """draft -> finalized, with the next number; paid at once where nothing is left to pay. False when it was already.

    What is in the organisation's favour is used for it. Raises ``HasProblems``, ``NotReady`` when the month is not over
    or was not when the draft was computed, ``TotalChanged`` when the draft asks for another sum than ``expected``.
    """
    done = finalize_invoices(actor=actor, invoices=[invoice], expected=expected)
    invoice.refresh_from_db()
    return bool(done)


def finalize_anew(*, actor: Actor, invoice: Invoice, expected: Decimal | None = None) -> bool:
    """``finalize_invoice`` of what is to be billed now: prices, discounts and usage may have changed since the draft
    was computed. Where it comes to another sum than ``expected``, the new draft is kept to be looked at."""
    if invoice.status == InvoiceStatus.DRAFT:
        refresh_invoice(actor=actor, invoice=invoice)
    return finalize_invoice(actor=actor, invoice=invoice, expected=expected)


@transaction.atomic
@sets.unswept()
def finalize_invoices(*, actor: Actor, invoices: Sequence[Invoice], expected: Decimal | None = None) -> list[Invoice]:
    """``finalize_invoice`` for many, all or nothing, in the same statements for any number: those that it finalized, in
    the order of their numbers, which is that of ``invoices``. Raises what that raises, of the first that has it."""
    lock_organisations({each.organisation_id for each in invoices})
    keys = [each.pk for each in invoices]
    found = Invoice.objects.filter(pk__in=keys).select_related("organisation").in_bulk()
    drafts = [found[pk] for pk in keys if found[pk].status not in NUMBERED]
    if not drafts:
        return []
    lines, taxes = _beside(drafts)
    for invoice in drafts:
        if invoice.status != InvoiceStatus.DRAFT:
            transition(invoice, InvoiceStatus.FINALIZED, table=INVOICE_TRANSITIONS)  # refuses it
        _check(invoice, lines[invoice.pk], expected)
    used = _use_balances(drafts)
    _issue(drafts, lines, taxes, used)
    entries = [_used_entry(actor, invoice, used[invoice.pk]) for invoice in drafts if used[invoice.pk]]
    CreditEntry.objects.bulk_create(entries, batch_size=FEW)
    keep_credits([each for each in drafts if any(line.kind == LineKind.OTHER for line in lines[each.pk])])
    announce(of_invoice(FINALIZED, each) for each in drafts)
    audit.record_all(actor=actor, entries=[_note(invoice, used[invoice.pk]) for invoice in drafts])
    for invoice in drafts:
        if not invoice.amount_due:
            settle_if_paid(actor, invoice)
    return drafts


def _beside(
    invoices: Sequence[Invoice],
) -> tuple[Mapping[int, list[Any]], Mapping[int, list[InvoiceTax]]]:
    """What documents say of lines and taxes, by invoice and in their order; lines without what they were made of, which
    is much and says nothing here."""
    lines: dict[int, list[Any]] = defaultdict(list)
    taxes: dict[int, list[InvoiceTax]] = defaultdict(list)
    keys = [each.pk for each in invoices]
    rows = InvoiceLine.objects.filter(invoice__in=keys).order_by("invoice", "line_number")
    for line in rows.values_list("invoice_id", *SAID_OF_LINES, named=True):
        lines[line.invoice_id].append(line)
    for tax in InvoiceTax.objects.filter(invoice__in=keys).order_by("invoice", "category", "rate"):
        taxes[tax.invoice_id].append(tax)
    return lines, taxes


def _check(invoice: Invoice, lines: Sequence[Any], expected: Decimal | None) -> None:
    month = Month(invoice.organisation, invoice.first_day)
    if now_for(invoice.organisation) < month.end:
        raise NotReady(_("The month is not over yet."))
    if invoice.watermark is None or invoice.watermark < month.end:
        raise NotReady(_("The draft was computed before its month was over; refresh it."))
    if found := blocking(invoice.problems):
        raise HasProblems(_("Something on the draft has to be settled first."), problems=[e["code"] for e in found])
    if not lines:
        raise NotReady(_("There is nothing on this draft."))
    if expected is not None and expected != invoice.total:
        raise TotalChanged(_("The draft asks for another sum now; please look at it again."))


def _issue(
    drafts: Sequence[Invoice], lines: Mapping[int, list[Any]], taxes: Mapping[int, list[InvoiceTax]],
    used: Mapping[int, Decimal],
) -> None:  # fmt: skip
    """Everything that makes them documents; then they are finalized."""
    seller, now, looks = site_seller(), timezone.now(), templates_for({each.organisation_id for each in drafts})
    for invoice, (issued, number) in zip(drafts, _numbers(drafts), strict=True):
        invoice.invoice_number, invoice.fiscal_year, invoice.serial = number.text, number.fiscal_year, number.serial
        invoice.issue_date, invoice.updated_at = issued, now
        invoice.due_date = issued + timedelta(days=settings.BILLING_INVOICE_DAYS)
        invoice.seller, invoice.buyer = seller, buyer_of(invoice.organisation)
        invoice.template_id = looks.get(invoice.organisation_id)
        invoice.amount_paid, invoice.amount_due = used[invoice.pk], invoice.total - used[invoice.pk]
        invoice.digest = invoice_digest(invoice, lines[invoice.pk], taxes[invoice.pk])
    columns = ["template_id" if name == "template" else name for name in ISSUED]
    values = {invoice.pk: [getattr(invoice, name) for name in columns] for invoice in drafts}
    draft = {"status": InvoiceStatus.DRAFT.value}
    rows = Invoice.objects.filter(pk__in=list(values))
    if sets.update(Invoice, values, ISSUED, where=draft) != len(drafts) or transition_all(
        rows, InvoiceStatus.FINALIZED, table=INVOICE_TRANSITIONS
    ) != len(drafts):
        raise NotReady(_("A draft was changed meanwhile; look at it again."))
    for invoice in drafts:
        invoice.status = InvoiceStatus.FINALIZED


def _numbers(drafts: Sequence[Invoice]) -> list[tuple[date, Number]]:
    """Day of issue and number of each: of real ones in one go, of those of test clocks one by one."""
    prefix, day = settings.BILLING_INVOICE_PREFIX, today()
    real = (
        iter(next_numbers(INVOICES, prefix, day, many)) if (many := sum(not each.is_test for each in drafts)) else None
    )
    found = []
    for invoice in drafts:
        if real is not None and not invoice.is_test:
            found.append((day, next(real)))
        else:
            own = today_for(invoice.organisation)
            found.append((own, document_number(INVOICES, prefix, own, test=True)))
    return found


def _note(invoice: Invoice, used: Decimal) -> audit.Entry:
    return audit.Entry(
        "invoice_finalize", str(invoice), entity=invoice,
        changes={"status": [InvoiceStatus.DRAFT, InvoiceStatus.FINALIZED]},
        extra={"organisation": invoice.organisation.name, "month": f"{invoice.year}-{invoice.month:02d}",
               "total": invoice.total, "currency": invoice.currency, "due": invoice.due_date,
               "from_balance": used, "number": invoice.invoice_number, "digest": invoice.digest},
    )  # fmt: skip


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


def _use_balances(drafts: Sequence[Invoice]) -> dict[int, Decimal]:
    """What of each is paid by what is in its organisation's favour; the first uses it first."""
    left: dict[tuple[int, str], Decimal] = {}
    rows = CreditEntry.objects.filter(organisation__in={each.organisation_id for each in drafts})
    for owner, currency, sum_ in rows.order_by().values_list("organisation_id", "currency").annotate(sum=Sum("amount")):
        left[owner, currency] = quantize(Decimal(sum_), places(currency))
    used = {}
    for invoice in drafts:
        key = (invoice.organisation_id, invoice.currency)
        used[invoice.pk] = min(max(left.get(key, Decimal(0)), Decimal(0)), invoice.total)
        left[key] = left.get(key, Decimal(0)) - used[invoice.pk]
    return used


def _used_entry(actor: Actor, invoice: Invoice, used: Decimal) -> CreditEntry:
    return CreditEntry(
        organisation=invoice.organisation, amount=-used, currency=invoice.currency, invoice=invoice,
        reason="used for the invoice", created_by=actor.name, created_at=now_for(invoice.organisation),
    )  # fmt: skip


def settle_if_paid(actor: Actor, invoice: Invoice) -> bool:
    """finalized -> paid, when nothing is due any more and nothing was given up."""
    if invoice.amount_due or invoice.amount_written_off or invoice.status != InvoiceStatus.FINALIZED:
        return False
    moved = transition(invoice, InvoiceStatus.PAID, table=INVOICE_TRANSITIONS, paid_at=now_for(invoice.organisation))
    if moved:
        audit.record(
            actor=actor, action="invoice_paid", target=str(invoice), entity=invoice,
            changes={"status": [InvoiceStatus.FINALIZED, InvoiceStatus.PAID]},
            extra={"total": invoice.total, "currency": invoice.currency, "paid": invoice.amount_paid,
                   "credited": invoice.amount_credited},
        )  # fmt: skip
        tell_of_invoice(PAID, invoice)
        follow_dues(actor=actor, organisation=invoice.organisation)
    return moved
