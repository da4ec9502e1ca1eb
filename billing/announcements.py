"""What customers' programs are told of invoices and credit notes: kinds of webhook messages, and what they carry."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.services.announcements import Announcement, announce
from accounts.services.outbox import site_url
from billing.models import CreditNote, Invoice
from core.money import places

FINALIZED, PAID, OVERDUE, CANCELED = "invoice.finalized", "invoice.paid", "invoice.overdue", "invoice.canceled"
CREDITED = "credit_note.created"
KINDS = {
    FINALIZED: _("Invoice finalized"),
    PAID: _("Invoice paid"),
    OVERDUE: _("Invoice overdue"),
    CANCELED: _("Invoice canceled"),
    CREDITED: _("Credit note written"),
}


def tell_of_invoice(kind: str, invoice: Invoice) -> None:
    """In the caller's transaction, to the addresses of its organisation."""
    announce([of_invoice(kind, invoice)])


def tell_overdue(invoices: Iterable[Invoice]) -> None:
    """Once each, however often it is said."""
    announce(of_invoice(OVERDUE, each, message_id=f"invoice_overdue_{each.uuid.hex}") for each in invoices)


def tell_of_note(note: CreditNote) -> None:
    data, owner = partial(note_payload, note), note.invoice.organisation_id
    announce([Announcement(CREDITED, data, owner, message_id=f"note_{note.uuid.hex}")])


def of_invoice(kind: str, invoice: Invoice, **more: str) -> Announcement:
    return Announcement(kind, partial(invoice_payload, invoice), invoice.organisation_id, **more)


def invoice_payload(invoice: Invoice) -> dict[str, Any]:
    """Amounts are decimal text with the places of ``currency``; days as YYYY-MM-DD, moments in UTC."""
    money = ("subtotal", "discount", "tax", "total", "amount_paid", "amount_credited", "amount_due")
    return {
        "id": str(invoice.uuid),
        "number": invoice.invoice_number,
        "organisation": str(invoice.organisation.uuid),
        "year": invoice.year,
        "month": invoice.month,
        "status": invoice.status,
        "currency": invoice.currency,
        **{name: amount_text(getattr(invoice, name), invoice.currency) for name in money},
        "issue_date": invoice.issue_date,
        "due_date": invoice.due_date,
        "paid_at": invoice.paid_at,
        "canceled_at": invoice.canceled_at,
        "url": site_url(invoice.get_absolute_url()),
    }


def note_payload(note: CreditNote) -> dict[str, Any]:
    return {
        "id": str(note.uuid),
        "number": note.number,
        "invoice": str(note.invoice.uuid),
        "invoice_number": note.invoice.invoice_number,
        "organisation": str(note.invoice.organisation.uuid),
        "issue_date": note.issue_date,
        "reason": note.reason,
        "currency": note.currency,
        **{name: amount_text(getattr(note, name), note.currency) for name in ("subtotal", "tax", "total")},
        "amount_due": amount_text(note.invoice.amount_due, note.currency),
        "url": site_url(note.invoice.get_absolute_url()),
    }


def amount_text(amount: Decimal, currency: str) -> str:
    return f"{amount:.{places(currency)}f}"
