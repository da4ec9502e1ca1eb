"""The hash that says whether an invoice or a credit note is still what was issued.

SHA-256 over canonical JSON (sorted keys, no spaces, UTF-8) of what the document says, amounts with the places of its
currency, quantities and prices without noughts at their end. What may change later is not in it: state, payments, PDF.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from billing.digest import document_hash
from billing.models import CreditNote, CreditNoteLine, Invoice, InvoiceTax
from core.database.decimals import plain
from core.money import places

# What ``invoice_digest`` reads of a line; rows with these names will do.
SAID_OF_LINES = (
    "line_number", "kind", "description", "description_th", "quantity", "unit", "unit_price", "total", "discount",
    "net", "original_currency", "original_amount", "exchange_rate", "tax_rate", "tax_category",
)  # fmt: skip


def invoice_digest(invoice: Invoice, lines: Iterable[Any], taxes: Iterable[InvoiceTax]) -> str:
    decimals = places(invoice.currency)
    lines, taxes = list(lines), list(taxes)

    def money(value: Any) -> str:
        return f"{value:.{decimals}f}"

    content: dict[str, Any] = {
        "kind": "invoice", "number": invoice.invoice_number, "uuid": str(invoice.uuid),
        "issued_on": f"{invoice.issue_date:%Y-%m-%d}", "due_on": f"{invoice.due_date:%Y-%m-%d}",
        "month": f"{invoice.year}-{invoice.month:02d}", "seller": invoice.seller, "buyer": invoice.buyer,
        "currency": invoice.currency, "tax_inclusive": invoice.tax_inclusive, "subtotal": money(invoice.subtotal),
        "discount": money(invoice.discount), "tax": money(invoice.tax), "total": money(invoice.total),
        "notes": [invoice.notes, invoice.notes_th],
        "taxes": [[each.category, f"{each.rate:.2f}", money(each.base), money(each.amount)] for each in taxes],
    }  # fmt: skip
    texts = [
        [line.line_number, str(line.kind), line.description, line.description_th, plain(line.quantity), line.unit,
         plain(line.unit_price) if line.unit_price is not None else "", money(line.total), money(line.discount),
         money(line.net), line.original_currency,
         plain(line.original_amount) if line.original_amount is not None else "",
         plain(line.exchange_rate) if line.exchange_rate is not None else "", f"{line.tax_rate:.2f}"]
        for line in lines
    ]  # fmt: skip
    # only where there is something to say, so that hashes of invoices from before there were rules stay as they are
    if len({line.tax_category for line in lines}) > 1:
        content["tax_categories"] = [line.tax_category for line in lines]
    if any(each.reason for each in taxes):
        content["tax_reasons"] = [[each.reason, each.reason_th] for each in taxes]
    return document_hash({**content, "rows": texts}, "")


def note_digest(note: CreditNote, lines: Iterable[tuple[int, CreditNoteLine]]) -> str:
    """``lines`` with the number of the invoice line that each takes back."""

    def money(value: Any) -> str:
        return f"{value:.{places(note.currency)}f}"

    content = {
        "kind": "credit note", "number": note.number, "uuid": str(note.uuid), "invoice": note.invoice.invoice_number,
        "issued_on": f"{note.issue_date:%Y-%m-%d}", "reason": note.reason, "currency": note.currency,
        "subtotal": money(note.subtotal), "tax": money(note.tax), "total": money(note.total),
        "rows": [[number, money(line.net), money(line.tax)] for number, line in lines],
    }  # fmt: skip
    return document_hash(content, "")


def is_unchanged(invoice: Invoice) -> bool:
    """An invoice that was finalized is still what its hash says."""
    return invoice.digest == stored_digest(invoice)


def stored_digest(invoice: Invoice) -> str:
    """The hash of what is stored now."""
    taxes = invoice.taxes.order_by("category", "rate")
    return invoice_digest(invoice, invoice.lines.order_by("line_number"), taxes)


def is_note_unchanged(note: CreditNote) -> bool:
    return note.digest == stored_note_digest(note)


def stored_note_digest(note: CreditNote) -> str:
    """The hash of what is stored now."""
    lines = note.lines.select_related("line").order_by("line__line_number")
    return note_digest(note, [(row.line.line_number, row) for row in lines])
