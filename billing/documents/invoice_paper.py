"""What an invoice says on paper: values only, in the language that is active. Reads, and draws nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from billing.documents.paper import Seller, State
from billing.models import Invoice, InvoiceStatus
from billing.selectors.documents.invoices import line_words, notes_words, reason_words
from core.words.wording import day_text, quantity_text

STATES = {
    InvoiceStatus.PAID: "paid", InvoiceStatus.REFUNDED: "paid", InvoiceStatus.CANCELED: "void",
    InvoiceStatus.DRAFT: "draft",
}  # fmt: skip


class BillLine(NamedTuple):
    number: int
    words: str
    project: str
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    price_currency: str
    total: Decimal


class BillTax(NamedTuple):
    label: str
    rate: Decimal
    base: Decimal
    amount: Decimal
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """``changed_at``: the last moment that anything on it changed."""

    number: str
    seller: Seller
    buyer: str
    month: date
    issued_on: date | None
    due_on: date | None
    currency: str
    lines: tuple[BillLine, ...]
    taxes: tuple[BillTax, ...]
    inclusive: bool
    subtotal: Decimal
    discount: Decimal
    total: Decimal
    paid: Decimal
    credited: Decimal
    due: Decimal
    conversion: str
    state: State
    note: str
    digest: str
    verify_url: str
    verify_page: str
    changed_at: datetime
    is_test: bool = False


def bill_of(invoice: Invoice) -> Bill:
    lines = invoice.lines.select_related("project").order_by("line_number")
    moments = [invoice.created_at, invoice.updated_at, invoice.paid_at, invoice.canceled_at]
    page = settings.SITE_BASE_URL + reverse("billing:verify")
    question = urlencode({"number": invoice.invoice_number or "", "hash": invoice.digest})
    return Bill(
        number=str(invoice), seller=seller_of(invoice), buyer=buyer_of(invoice),
        month=invoice.first_day, issued_on=invoice.issue_date, due_on=invoice.due_date, currency=invoice.currency,
        lines=tuple(
            BillLine(
                row.line_number, line_words(row), row.project.name if row.project else "", row.quantity, row.unit,
                row.unit_price, row.original_currency or row.currency, row.total,
            )
            for row in lines
        ),
        taxes=tuple(
            BillTax(row.label, row.rate, row.base, row.amount, reason_words(row))
            for row in invoice.taxes.order_by("category", "rate")
        ),
        inclusive=invoice.tax_inclusive, subtotal=invoice.subtotal, discount=invoice.discount, total=invoice.total,
        paid=invoice.amount_paid, credited=invoice.amount_credited, due=invoice.amount_due + invoice.amount_written_off,
        conversion=conversion_of(invoice), state=State(STATES.get(InvoiceStatus(invoice.status), "pending")),
        note=notes_words(invoice), digest=invoice.digest, verify_url=f"{page}?{question}", verify_page=page,
        changed_at=max((moment for moment in moments if moment is not None), default=timezone.now()),
        is_test=invoice.is_test,
    )  # fmt: skip


def seller_of(invoice: Invoice) -> Seller:
    """As it was when the invoice was issued."""
    known = {name: str(invoice.seller.get(name) or "") for name in ("name", "address", "tax_id", "email")}
    return Seller(**{**known, "name": known["name"] or settings.ORG_NAME})


def buyer_of(invoice: Invoice) -> str:
    name, email = (str(invoice.buyer.get(each) or "") for each in ("name", "email"))
    return "\n".join(each for each in (name or invoice.organisation.name, email) if each)


def conversion_of(invoice: Invoice) -> str:
    if invoice.exchange_rate is None:
        return ""
    rate = quantity_text(invoice.exchange_rate, 12)
    when = day_text(invoice.conversion_date)
    return f"1 {invoice.original_currency} = {rate} {invoice.currency} · {when} · {invoice.conversion_source}"
