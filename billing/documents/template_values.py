"""What a template's variables are on one invoice, in the language that is active. Values only."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from billing.documents.invoice_paper import Bill, BillLine
from billing.documents.values import annex, common_labels, common_values, has_annex, in_sums, money, price_text
from billing.templating.document import Annex
from core.words import wording

STATES = {"paid": "is_paid", "void": "is_canceled", "draft": "is_draft"}


def values_of(bill: Bill) -> dict[str, Any]:
    """A value for every name of ``templating.fields.INVOICE``."""
    flag, long = STATES.get(bill.state.status, "is_open"), has_annex(bill)
    tax = sum((each.amount for each in bill.taxes), Decimal(0))
    return {
        **_labels(), **common_values(bill),
        **{name: name == flag for name in ("is_draft", "is_open", "is_paid", "is_canceled")},
        "title": _("Invoice"), "state": _state(bill.state.status), "due_on": wording.day_text(bill.due_on),
        "discount": money(bill, -bill.discount) if bill.discount else "",
        "tax": money(bill, tax) if bill.taxes else "", "paid": money(bill, -bill.paid) if bill.paid else "",
        "credited": money(bill, -bill.credited) if bill.credited else "",
        "due": money(bill, bill.due) if bill.due != bill.total else "", "note": bill.note,
        "annex_note": _annex_note(len(bill.lines)) if long else "", "payment_instructions": _payment(bill),
        "bank_name": settings.ORG_BANK_NAME, "bank_account": settings.ORG_BANK_ACCOUNT,
        "bank_holder": settings.ORG_BANK_HOLDER,
        "lines": in_sums(bill.lines, lambda rows: _sums(bill, rows)) if long
        else [_line_values(bill, line) for line in bill.lines],
    }  # fmt: skip


def annex_of(bill: Bill) -> Annex | None:
    return annex(bill, lambda line: _line_values(bill, line))


def across_of(bill: Bill) -> str:
    """What stands over each page, whatever the template says."""
    if bill.is_test:
        return _("TEST")
    return {"void": _("CANCELED"), "draft": _("DRAFT")}.get(bill.state.status, "")


def _line_values(bill: Bill, line: BillLine) -> dict[str, str]:
    return {
        "line_number": str(line.number), "line_description": line.words, "line_project": line.project,
        "line_quantity": wording.quantity_text(line.quantity), "line_unit": wording.unit_text(line.unit),
        "line_unit_price": price_text(line.unit_price, line.price_currency, bill),
        "line_amount": money(bill, line.total),
    }  # fmt: skip


def _sums(bill: Bill, rows: list[BillLine]) -> dict[str, str]:
    return {"line_amount": money(bill, sum((row.total for row in rows), Decimal(0)))}


def _annex_note(count: int) -> str:
    return _("The %(n)d lines of this invoice are on the pages after it.") % {"n": count}


def _payment(bill: Bill) -> str:
    """How to pay, where payers transfer; else where the page is that offers the ways."""
    if bill.due <= 0 or bill.state.status != "pending":
        return ""
    if not settings.ORG_BANK_ACCOUNT:
        return _("Open %(address)s to pay invoice %(number)s.") % {
            "address": f"{settings.SITE_BASE_URL}/invoices/", "number": bill.number,
        }  # fmt: skip
    named = {"bank": settings.ORG_BANK_NAME, "account": settings.ORG_BANK_ACCOUNT, "number": bill.number}
    words = _("Transfer to %(bank)s, account %(account)s. Name %(number)s as the reference.") % named
    return f"{words}\n{settings.ORG_BANK_HOLDER}".strip()


def _state(status: str) -> str:
    return {"paid": _("PAID"), "void": _("CANCELED"), "draft": _("DRAFT")}.get(status, _("TO PAY"))


def _labels() -> dict[str, str]:
    return {
        **common_labels(), "label_month": _("Month"), "label_due_on": _("Due on"), "label_amount": _("Amount"),
        "label_subtotal": _("Subtotal"), "label_discount": _("Discount"), "label_total": _("Total"),
        "label_paid": _("Paid so far"), "label_credited": _("Credited"), "label_due": _("Due"),
        "label_note": _("Note"), "label_payment": _("How to pay"),
        "label_tax_inside": _(
            "The prices of the lines hold the tax already; subtotal and discount are shown without it."
        ),
    }  # fmt: skip
