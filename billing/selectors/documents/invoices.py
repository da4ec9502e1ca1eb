"""Who sees which invoices, and what a page or an answer needs of them. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.membership import BILLING, Person, memberships
from billing.models import (
    BY_HAND,
    CreditEntry,
    CreditNote,
    Invoice,
    InvoiceLine,
    InvoicePayment,
    InvoiceReturn,
    InvoiceStatus,
    InvoiceTax,
)
from core.clock import day_is_over
from core.periods import today
from core.words.wording import is_thai, money_text

PERMISSION = "billing.view_invoice"
OF_RETURNS = ("given back: ", "came back: ")  # entries that only follow money that moved


def sees_all_invoices(user: Person) -> bool:
    return bool(user.is_authenticated and user.is_staff and user.has_perm(PERMISSION))


def visible_invoices(user: Person) -> QuerySet[Invoice]:
    """Those of the organisations whose bills one looks after, once they are finalized; drafts are finance's."""
    rows = Invoice.objects.select_related("organisation")
    if sees_all_invoices(user):
        return rows
    organisations = memberships(user, BILLING).values("organisation")
    return rows.filter(organisation__in=organisations, invoice_number__isnull=False)


def find_invoice(user: Person, uuid: UUID) -> Invoice:
    """Raises ``Http404`` for what is not there and for what is not the reader's, alike."""
    row = visible_invoices(user).filter(uuid=uuid).first()
    if row is None:
        raise Http404(_("There is no such invoice."))
    return row


def find_note(user: Person, uuid: UUID) -> CreditNote:
    """Whoever sees the invoice sees its credit notes. Raises ``Http404``."""
    rows = CreditNote.objects.select_related("invoice__organisation", "template")
    row = rows.filter(uuid=uuid, invoice__in=visible_invoices(user).values("pk")).first()
    if row is None:
        raise Http404(_("There is no such credit note."))
    return row


def find_line(invoice: Invoice, number: int) -> InvoiceLine:
    rows = invoice.lines.select_related("project", "pricing_plan", "subscription__plan")
    row = rows.filter(line_number=number).first()
    if row is None:
        raise Http404(_("There is no such line."))
    row.invoice = invoice
    return row


def overdue() -> Q:
    """Asked for, not paid in full, and its day is over."""
    return Q(status=InvoiceStatus.FINALIZED, amount_due__gt=0) & day_is_over("due_date", today())


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an invoice."""

    what: str
    tone: str = ""
    note: str = ""
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """Everything on an invoice's page, read in a constant number of statements."""

    invoice: Invoice
    lines: Sequence[InvoiceLine]
    taxes: Sequence[InvoiceTax]
    notes: Sequence[CreditNote]
    payments: Sequence[InvoicePayment]
    entries: Sequence[CreditEntry]
    returns: Sequence[InvoiceReturn] = ()

    @property
    def steps(self) -> list[Step]:
        return sorted(_steps(self), key=lambda step: str(step.day))


def paper_of(invoice: Invoice) -> Paper:
    lines = invoice.lines.select_related("project").order_by("line_number")
    notes = invoice.credit_notes.order_by("pk").prefetch_related("lines__line")
    return Paper(
        invoice, list(lines), list(invoice.taxes.order_by("category", "rate")), list(notes),
        list(invoice.payments.order_by("pk")), list(CreditEntry.objects.filter(invoice=invoice).order_by("pk")),
        list(invoice.returns.order_by("pk")),
    )  # fmt: skip


def reversible(invoice: Invoice) -> QuerySet[InvoicePayment]:
    """Payments that somebody wrote down by hand, and nobody took back."""
    back = invoice.returns.filter(source__startswith=BY_HAND).values_list("source", flat=True)
    return invoice.payments.filter(source="").exclude(pk__in=[int(each.removeprefix(BY_HAND)) for each in back])


def line_words(line: InvoiceLine) -> str:
    """The line's description in the reader's language, as it was issued."""
    return line.description_th if is_thai() and line.description_th else line.description


def notes_words(invoice: Invoice) -> str:
    return invoice.notes_th if is_thai() and invoice.notes_th else invoice.notes


def reason_words(tax: InvoiceTax) -> str:
    """Why a document has this tax, or none."""
    return tax.reason_th if is_thai() and tax.reason_th else tax.reason


def _steps(paper: Paper) -> list[Step]:
    invoice = paper.invoice
    found: list[Step] = []
    if invoice.issue_date:
        found.append(Step(_("Issued"), day=invoice.issue_date))
    found += [
        Step(_("Payment received"), "good", money_text(each.amount, each.currency), each.received_on)
        for each in paper.payments
    ]
    found += [_return_step(each) for each in paper.returns]
    found += [_entry_step(entry) for entry in paper.entries if not entry.reason.startswith(OF_RETURNS)]
    found += [
        Step(
            _("Credit note %(number)s") % {"number": note.number}, "",
            f"{money_text(note.total, note.currency)} · {note.reason}", note.issue_date,
        )
        for note in paper.notes
    ]  # fmt: skip
    if invoice.canceled_at:
        found.append(Step(_("Canceled"), "bad", invoice.cancel_reason, _day(invoice.canceled_at)))
    return found


def _return_step(row: InvoiceReturn) -> Step:
    words = _("Given back") if row.amount > 0 else _("Payment received")
    if row.source.startswith(BY_HAND):
        words = _("Payment taken back: it was written down by mistake")
    return Step(words, "", money_text(abs(row.amount), row.currency), _day(row.created_at))


def _entry_step(entry: CreditEntry) -> Step:
    words, tone = (_("Paid from your credit"), "good") if entry.amount < 0 else (_("Kept as your credit"), "")
    return Step(words, tone, money_text(abs(entry.amount), entry.currency), _day(entry.created_at))


def _day(moment: datetime) -> date:
    return timezone.localdate(moment, timezone.get_default_timezone())
