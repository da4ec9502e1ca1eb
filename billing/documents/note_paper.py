"""What a credit note says on paper: values only, in the language that is active. Reads, and draws nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Sum
from django.urls import reverse

from billing.documents.invoice_paper import BillTax, buyer_of, conversion_of, seller_of
from billing.documents.paper import Seller
from billing.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine
from billing.selectors.documents.invoices import line_words, reason_words

EXACT = 6


class NoteLine(NamedTuple):
    """What is given back of one line. ``quantity`` is None where a part of it is no whole share of what was billed;
    ``invoiced`` and ``amount`` are after discount, with the tax inside where the prices of the invoice hold it."""

    number: int
    words: str
    project: str
    quantity: Decimal | None
    unit: str
    unit_price: Decimal | None
    price_currency: str
    invoiced: Decimal
    amount: Decimal
    tax_rate: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class NotePaper:
    """``invoice_value`` is what the invoice came to without tax, ``corrected_value`` what is left of that after this
    note and those before it. Nothing on it changes later."""

    number: str
    invoice_number: str
    invoice_issued_on: date | None
    month: date
    issued_on: date
    reason: str
    seller: Seller
    buyer: str
    currency: str
    lines: tuple[NoteLine, ...]
    taxes: tuple[BillTax, ...]
    inclusive: bool
    discounted: bool
    whole: bool
    invoice_value: Decimal
    corrected_value: Decimal
    subtotal: Decimal
    tax: Decimal
    total: Decimal
    conversion: str
    digest: str
    verify_url: str
    verify_page: str
    changed_at: datetime
    is_test: bool = False


def note_paper_of(note: CreditNote) -> NotePaper:
    invoice = note.invoice
    rows = list(note.lines.select_related("line__project").order_by("line__line_number"))
    taken = invoice.credit_notes.filter(pk__lte=note.pk).aggregate(net=Sum("subtotal"), total=Sum("total"))
    page = settings.SITE_BASE_URL + reverse("billing:verify")
    question = urlencode({"number": note.number, "hash": note.digest})
    value = invoice.total - invoice.tax
    return NotePaper(
        number=note.number, invoice_number=str(invoice), invoice_issued_on=invoice.issue_date, month=invoice.first_day,
        issued_on=note.issue_date, reason=note.reason, seller=seller_of(invoice), buyer=buyer_of(invoice),
        currency=note.currency, lines=tuple(_line(row, inclusive=invoice.tax_inclusive) for row in rows),
        taxes=_taxes(invoice, rows),
        inclusive=invoice.tax_inclusive, discounted=bool(invoice.discount), whole=taken["total"] == invoice.total,
        invoice_value=value, corrected_value=value - taken["net"], subtotal=note.subtotal, tax=note.tax,
        total=note.total, conversion=conversion_of(invoice), digest=note.digest, verify_url=f"{page}?{question}",
        verify_page=page, changed_at=note.created_at, is_test=invoice.is_test,
    )  # fmt: skip


def _line(row: CreditNoteLine, *, inclusive: bool) -> NoteLine:
    line = row.line
    amount = row.net + row.tax if inclusive else row.net
    return NoteLine(
        line.line_number, line_words(line), line.project.name if line.project else "", _quantity(line, amount),
        line.unit, line.unit_price, line.original_currency or line.currency, line.net, amount, line.tax_rate, row.tax,
    )  # fmt: skip


def _quantity(line: InvoiceLine, amount: Decimal) -> Decimal | None:
    """The share of what was billed; None where it does not come out even, for an invented quantity helps nobody."""
    if amount == line.net:
        return line.quantity
    if not line.net:
        return None
    with localcontext(prec=60):
        share = line.quantity * amount / line.net
        return share if share == round(share, EXACT) else None


def _taxes(invoice: Invoice, rows: Iterable[CreditNoteLine]) -> tuple[BillTax, ...]:
    """By category and rate, with the words of the invoice."""
    sums: dict[tuple[str, Decimal], list[Decimal]] = {}
    for row in rows:
        found = sums.setdefault((row.line.tax_category, row.line.tax_rate), [Decimal(0), Decimal(0)])
        found[0] += row.net
        found[1] += row.tax
    known = {(each.category, each.rate): each for each in invoice.taxes.all()}
    return tuple(
        BillTax(known[key].label, key[1], base, amount, reason_words(known[key]))
        for key, (base, amount) in sorted(sums.items())
        if key in known
    )
