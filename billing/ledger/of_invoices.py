"""Invoices and credit notes, of real customers: receivable against revenue by kind, deferred revenue and output tax."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum
from django.utils import timezone

from billing.invoicing.crediting import Left, TaxOf, take_back
from billing.ledger.chart import DEFERRED, KIND_OF_LINE, RECEIVABLE, RETURNS, REVENUE, output_tax
from billing.ledger.facts import Adding, Fact, Look, Source, handfuls, only, unposted
from billing.ledger.schedule import LONG_CYCLES
from billing.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine, InvoiceTax, LineKind, SourceKind
from core.clock import real
from core.money import places, quantize
from core.periods import month_start

# What is looked at line by line: fees of quarters and years are earned later; credits that wait for the next invoice
# are owed until then, and no revenue on either of the two.
CARRIED_IN = Q(kind=LineKind.PRORATION, source__explanation__has_key="carried_from")
DEFERRED_LINES = Q(kind__in=(LineKind.FEE, LineKind.PRORATION), source__cycle__in=LONG_CYCLES)
Taxes = dict[tuple[str, Decimal], Decimal]  # code of a tax and its rate: amount
Parts = dict[int, list[tuple[str, Decimal, bool]]]  # invoice -> revenue kind, amount without tax, deferred


def kind_of(line_kind: str, source: Any) -> str:
    """A credit of fees that waits for the next invoice is one of fees, too."""
    return "fees" if line_kind == LineKind.OTHER and "carried" in (source or {}) else KIND_OF_LINE[line_kind]


def is_carried(source: Any) -> bool:
    """A credit that was kept for the next invoice: on the one that keeps it, or on the next."""
    return "carried" in (source or {}) or "carried_from" in ((source or {}).get("explanation") or {})


def is_deferred(line_kind: str, source: Any) -> bool:
    return is_carried(source) or (
        line_kind in (LineKind.FEE, LineKind.PRORATION) and (source or {}).get("cycle") in LONG_CYCLES
    )


def _invoices(look: Look) -> Iterator[list[Fact]]:
    rows = unposted(real(Invoice.objects.filter(invoice_number__isnull=False)), SourceKind.INVOICE, look)
    for found in handfuls(rows):
        parts = _parts([each for each in found if not each.tax_inclusive])
        parts |= _parts_inclusive([each for each in found if each.tax_inclusive])
        taxes = _taxes(found)
        yield only(_of_invoice(each, parts.get(each.pk, []), taxes[each.pk]) for each in found)


def _taxes(invoices: Sequence[Invoice]) -> dict[int, Taxes]:
    """One statement: taxes of each by code and rate."""
    found: dict[int, Taxes] = defaultdict(lambda: defaultdict(Decimal))
    rows = InvoiceTax.objects.filter(invoice__in=[each.pk for each in invoices], amount__gt=0)
    for invoice, code, rate, amount in rows.values_list("invoice_id", "code", "rate", "amount"):
        found[invoice][code, rate] += amount
    return found


def _parts(invoices: Sequence[Invoice]) -> Parts:
    """Two statements: sums by kind, and the lines that are looked at one by one."""
    found: Parts = defaultdict(list)
    lines = InvoiceLine.objects.filter(invoice__in=[each.pk for each in invoices])
    decimals = {each.pk: places(each.currency) for each in invoices}
    alone = DEFERRED_LINES | CARRIED_IN | Q(kind=LineKind.OTHER)
    summed = lines.exclude(alone).order_by().values_list("invoice_id", "kind").annotate(sum=Sum("net"))
    for invoice, kind, amount in summed:
        found[invoice].append((KIND_OF_LINE[kind], quantize(Decimal(amount), decimals[invoice]), False))
    for invoice, kind, source, net in lines.filter(alone).values_list("invoice_id", "kind", "source", "net"):
        found[invoice].append((kind_of(kind, source), net, is_deferred(kind, source)))
    return found


def _parts_inclusive(invoices: Sequence[Invoice]) -> Parts:
    """Lines hold their tax: each is taken apart exactly as a credit note over all of it takes it back."""
    if not invoices:
        return {}
    found: Parts = defaultdict(list)
    lines: dict[int, list[InvoiceLine]] = defaultdict(list)
    taxes: dict[int, dict[Any, Decimal]] = defaultdict(dict)
    keys = [each.pk for each in invoices]
    for line in InvoiceLine.objects.filter(invoice__in=keys).order_by("invoice", "line_number"):
        lines[line.invoice_id].append(line)
    for row in InvoiceTax.objects.filter(invoice__in=keys):
        taxes[row.invoice_id][row.category, row.rate] = row.amount
    for invoice in invoices:
        nets = net_of_tax(invoice, lines[invoice.pk], taxes[invoice.pk])
        for line in lines[invoice.pk]:
            part = (kind_of(line.kind, line.source), nets[line.line_number], is_deferred(line.kind, line.source))
            found[invoice.pk].append(part)
    return found


def net_of_tax(invoice: Invoice, lines: Sequence[InvoiceLine], taxes: dict[Any, Decimal]) -> dict[int, Decimal]:
    """Line number to what it comes to without tax."""
    if not invoice.tax_inclusive:
        return {line.line_number: line.net for line in lines}
    groups = {line.line_number: (line.tax_category, line.tax_rate) for line in lines}
    lefts = [Left(line.line_number, groups[line.line_number], line.net, Decimal(0)) for line in lines]
    of_group = {group: TaxOf(taxes.get(group, Decimal(0)), Decimal(0)) for group in groups.values()}
    wanted = {left.number: left.net for left in lefts}
    found = take_back(lefts, wanted, of_group, inclusive=True, decimals=places(invoice.currency))
    return dict.fromkeys(groups, Decimal(0)) | {each.number: each.net for each in found}


def _of_invoice(invoice: Invoice, parts: Sequence[tuple[str, Decimal, bool]], taxes: Taxes) -> Fact:
    month = date(invoice.year, invoice.month, 1)
    adding = Adding().debit(RECEIVABLE, invoice.total)
    for (code, rate), amount in taxes.items():
        adding.credit(output_tax(code, rate), amount)
    for kind, amount, deferred in parts:
        adding.credit(DEFERRED if deferred else REVENUE + kind, amount, month)
    issued = invoice.issue_date or month
    return Fact(
        SourceKind.INVOICE, invoice.pk, invoice.currency, issued, _moment(invoice), adding.done(),
        document=str(invoice), organisation_id=invoice.organisation_id, invoice_id=invoice.pk,
    )  # fmt: skip


def _moment(invoice: Invoice) -> Any:
    return invoice.updated_at or timezone.now()


def _notes(look: Look) -> Iterator[list[Fact]]:
    rows = unposted(
        real(CreditNote.objects.select_related("invoice"), "invoice__organisation"), SourceKind.CREDIT_NOTE, look
    )
    for found in handfuls(rows):
        lines = CreditNoteLine.objects.filter(note__in=[each.pk for each in found])
        parts: Parts = defaultdict(list)
        for note, kind, source, net in lines.values_list("note_id", "line__kind", "line__source", "net"):
            parts[note].append((kind_of(kind, source), net, is_deferred(kind, source)))
        taxes = _taxes_of_notes(found)
        yield only(_of_note(each, parts[each.pk], taxes[each.pk]) for each in found)


def _taxes_of_notes(notes: Sequence[CreditNote]) -> dict[int, Taxes]:
    """Two statements: what each takes back of the taxes of its invoice, by code and rate."""
    found: dict[int, Taxes] = defaultdict(lambda: defaultdict(Decimal))
    rows = InvoiceTax.objects.filter(invoice__in={each.invoice_id for each in notes})
    codes = {(row.invoice_id, row.category, row.rate): row.code for row in rows}
    lines = CreditNoteLine.objects.filter(note__in=[each.pk for each in notes])
    columns = ("note_id", "note__invoice_id", "line__tax_category", "line__tax_rate", "tax")
    for note, invoice, category, rate, tax in lines.values_list(*columns):
        found[note][codes.get((invoice, category, rate), ""), rate] += tax
    return found


def _of_note(note: CreditNote, parts: Sequence[tuple[str, Decimal, bool]], taxes: Taxes) -> Fact:
    """In the month of its issue: what was said of earlier months stays said."""
    month = month_start(note.issue_date)
    adding = Adding().credit(RECEIVABLE, note.total)
    for (code, rate), amount in taxes.items():
        adding.debit(output_tax(code, rate), amount)
    for kind, amount, deferred in parts:
        adding.debit(DEFERRED if deferred else RETURNS + kind, amount, month)
    return Fact(
        SourceKind.CREDIT_NOTE, note.pk, note.currency, note.issue_date, note.created_at, adding.done(),
        document=str(note), text=note.reason, organisation_id=note.invoice.organisation_id, invoice_id=note.invoice_id,
    )  # fmt: skip


INVOICES = Source((SourceKind.INVOICE,), "invoices", _invoices)
CREDIT_NOTES = Source((SourceKind.CREDIT_NOTE,), "credit_notes", _notes)
