"""What invoices say and hold: sums, numbers, hashes, and every job and fee once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Min, Sum

from billing.models import (
    CreditEntry,
    CreditNote,
    CreditNoteLine,
    DocumentCounter,
    Invoice,
    InvoiceLine,
    InvoicePayment,
    InvoiceReturn,
    InvoiceStatus,
    InvoiceTax,
    LineKind,
    WriteOff,
)
from billing.selectors.documents.credits import is_kept
from billing.selectors.documents.invoice_digest import is_note_unchanged, is_unchanged
from billing.services.numbers import CREDIT_NOTES, INVOICES
from core.money import quantize
from hpcbilling.books.rows import SHOWN, rows
from usage.models import Job

NOUGHT = Decimal(0)
PLACES = 4  # of amounts as they are stored


def invoice_totals() -> list[str]:
    """Total = subtotal - discount + tax, and what the lines say comes to the same, line by line and rate by rate."""
    lines = _sums(InvoiceLine.objects.values("invoice"), total="total", discount="discount", net="net")
    taxes = _sums(InvoiceTax.objects.values("invoice"), amount="amount")
    wrong = []
    for row in Invoice.objects.order_by("pk").iterator(1000):
        line, tax = lines.get(row.pk, {}), taxes.get(row.pk, {})
        net = row.total if row.tax_inclusive else row.subtotal - row.discount
        gross = net + line.get("discount", NOUGHT)
        if row.total != row.subtotal - row.discount + row.tax or row.tax != tax.get("amount", NOUGHT):
            wrong.append(f"invoice {row}: {row.subtotal} - {row.discount} + {row.tax} is not {row.total}")
        elif line.get("net", NOUGHT) != net or line.get("total", NOUGHT) != gross:
            wrong.append(f"invoice {row}: its lines come to {line.get('net', NOUGHT)}, it says {net}")
    return wrong[:SHOWN]


def invoice_dues() -> list[str]:
    """Due = total - paid - credited - written off; paid is what came in, less what went back, and what moved from or to
    the balance; credited is the sum of the credit notes; paid ones owe nothing, open ones owe something."""
    back = _sums(InvoiceReturn.objects.values("invoice"), amount="amount")
    came = _sums(InvoicePayment.objects.values("invoice"), amount="amount")
    moved = _sums(CreditEntry.objects.filter(invoice__isnull=False).values("invoice"), amount="amount")
    notes = _sums(CreditNote.objects.values("invoice"), total="total")
    written = _sums(WriteOff.objects.values("invoice"), amount="amount")
    wrong = []
    for row in Invoice.objects.order_by("pk").iterator(1000):
        paid = came.get(row.pk, {}).get("amount", NOUGHT) - moved.get(row.pk, {}).get("amount", NOUGHT)
        paid -= back.get(row.pk, {}).get("amount", NOUGHT)
        credited = notes.get(row.pk, {}).get("total", NOUGHT)
        given_up = written.get(row.pk, {}).get("amount", NOUGHT)
        if row.amount_due != row.total - row.amount_paid - row.amount_credited - row.amount_written_off:
            wrong.append(f"invoice {row}: {row.amount_due} due of {row.total}")
        elif row.amount_paid != paid:
            wrong.append(f"invoice {row}: {row.amount_paid} paid, {paid} came in and stayed")
        elif row.amount_credited != credited:
            wrong.append(f"invoice {row}: {row.amount_credited} credited, its notes say {credited}")
        elif row.amount_written_off != given_up:
            wrong.append(f"invoice {row}: {row.amount_written_off} written off, its rows say {given_up}")
        elif row.status == InvoiceStatus.PAID and row.amount_due:
            wrong.append(f"invoice {row} is paid, but {row.amount_due} is due")
        elif row.status == InvoiceStatus.FINALIZED and not row.amount_due and not row.amount_written_off:
            wrong.append(f"invoice {row} is open, and nothing is due")
    return wrong[:SHOWN]


def invoice_numbers() -> list[str]:
    """Every finalized invoice and every credit note has a number; each fiscal year counts 1, 2, 3 … without a gap."""
    unnumbered = Invoice.objects.filter(invoice_number=None).exclude(
        status__in=(InvoiceStatus.DRAFT, InvoiceStatus.CANCELED)
    )
    wrong = [f"invoice {pk} has no number" for pk in unnumbered.values_list("pk", flat=True)[:SHOWN]]
    series: tuple[tuple[str, Any], ...] = ((INVOICES, Invoice), (CREDIT_NOTES, CreditNote))
    for name, model in series:
        last = dict(DocumentCounter.objects.filter(series=name).values_list("fiscal_year", "last"))
        years = model.objects.filter(serial__isnull=False).values("fiscal_year").order_by("fiscal_year")
        counted = years.annotate(least=Min("serial"), most=Max("serial"), many=Count("id"))
        found = {row["fiscal_year"]: row for row in counted}
        for year in sorted({*last, *found}):
            row = found.get(year, {"least": 1, "most": 0, "many": 0})
            if row["least"] != 1 or row["many"] != row["most"] or last.get(year) != row["most"]:
                wrong.append(
                    f"fiscal year {year}: {row['many']} {name}s numbered {row['least']} to {row['most']}, counter at"
                    f" {last.get(year)}"
                )
    return wrong


def invoice_digests() -> list[str]:
    """What an invoice or a credit note says is still what was hashed when it was issued."""
    checks: tuple[tuple[str, Iterable[Any], Callable[[Any], bool]], ...] = (
        ("invoice", Invoice.objects.exclude(digest="").order_by("pk").iterator(200), is_unchanged),
        ("credit note", CreditNote.objects.select_related("invoice").order_by("pk").iterator(200), is_note_unchanged),
    )
    wrong = []
    for noun, found, unchanged in checks:
        wrong += [f"{noun} {each} is not what was issued" for each in found if not unchanged(each)]
    return wrong[:SHOWN]


def invoice_claims() -> list[str]:
    """A job or fee that an invoice has claimed is on a live one, in its lines; a line has what it counts."""
    claim = "'invoice:' || i.id"
    wrong = []
    for noun, table in (("job", "jobs"), ("fee", "subscription_charges")):
        found = rows(
            f"""SELECT c.id, c.claimed_by FROM {table} c LEFT JOIN invoices i ON c.claimed_by = {claim}
            AND i.status <> 'canceled' WHERE c.claimed_by LIKE 'invoice:%' AND i.id IS NULL"""
        )
        wrong += [f"{noun} {row[0]} is claimed by {row[1]}, which is no live invoice" for row in found]
    counted = InvoiceLine.objects.filter(kind=LineKind.JOBS).exclude(invoice__status=InvoiceStatus.CANCELED)
    lines = {row["invoice"]: int(row["jobs"]) for row in counted.values("invoice").annotate(jobs=Sum("quantity"))}
    held = dict(rows_of_claims())
    for invoice in sorted({*lines, *held}):
        said, has = lines.get(invoice, 0), held.get(invoice, 0)
        if said != has:
            wrong.append(f"invoice {invoice}: {said} jobs on its lines, {has} are its")
    return wrong[:SHOWN]


def rows_of_claims() -> list[tuple[int, int]]:
    """Invoice and number of jobs that it holds."""
    found = Job.objects.filter(claimed_by__startswith="invoice:").order_by().values_list("claimed_by")
    return [(int(claim.partition(":")[2]), jobs) for claim, jobs in found.annotate(jobs=Count("id"))]


def credit_notes() -> list[str]:
    """The lines of a credit note come to its sums, and no line of an invoice is taken back beyond what it says; what
    it keeps for the next one may become more."""
    lines = _sums(CreditNoteLine.objects.values("note"), net="net", tax="tax")
    wrong = [
        f"credit note {note}: {note.subtotal} + {note.tax} is not {note.total}, or not what its lines say"
        for note in CreditNote.objects.order_by("pk").iterator(1000)
        if note.subtotal + note.tax != note.total or lines.get(note.pk) != {"net": note.subtotal, "tax": note.tax}
    ]
    taken = _sums(CreditNoteLine.objects.values("line"), net="net", tax="tax")
    for line in InvoiceLine.objects.filter(pk__in=list(taken)).select_related("invoice").order_by("pk"):
        back = taken[line.pk]["net"] + (taken[line.pk]["tax"] if line.invoice.tax_inclusive else NOUGHT)
        more = is_kept(line) and back <= line.net
        if not more and (back * line.net < 0 or abs(back) > abs(line.net)):
            wrong.append(f"line {line.line_number} of invoice {line.invoice}: {back} of {line.net} is taken back")
    return wrong[:SHOWN]


def _sums(values: Any, **columns: str) -> dict[int, dict[str, Decimal]]:
    (key,) = values.query.values_select
    found = values.order_by().annotate(**{f"sum_{name}": Sum(column) for name, column in columns.items()})
    return {row[key]: {name: quantize(Decimal(row[f"sum_{name}"]), PLACES) for name in columns} for row in found}
