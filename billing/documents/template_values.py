"""What a template's variables are on one invoice, in the language that is active. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.documents.invoice_paper import Bill, BillLine
from billing.documents.words import in_words
from billing.templating.document import Annex
from core import wording
from core.money import places

MOST_LINES = 200  # more than these go to an annex, and the template gets their sums
STATES = {"paid": "is_paid", "void": "is_canceled", "draft": "is_draft"}


def values_of(bill: Bill) -> dict[str, Any]:
    """A value for every name of ``templating.fields``. Amounts as people read them; nothing to show is empty text."""
    thai = wording.is_thai()
    first, _line, second = bill.buyer.partition("\n")
    flag = STATES.get(bill.state.status, "is_open")
    long = len(bill.lines) > MOST_LINES
    other = "en" if thai else "th"
    tax = sum((each.amount for each in bill.taxes), Decimal(0))
    return {
        **_labels(),
        **{name: name == flag for name in ("is_draft", "is_open", "is_paid", "is_canceled")},
        "english": not thai, "thai": thai, "is_tax_inside": bill.inclusive, "has_annex": long,
        "title": _("Invoice"), "number": bill.number, "state": _state(bill.state.status),
        "month": wording.month_text(bill.month), "issued_on": wording.day_text(bill.issued_on),
        "due_on": wording.day_text(bill.due_on), "currency": bill.currency, "exchange_rate": bill.conversion,
        "seller_name": bill.seller.name, "seller_address": bill.seller.address, "seller_tax_id": bill.seller.tax_id,
        "seller_email": bill.seller.email, "buyer_name": first, "buyer_email": second,
        "subtotal": _money(bill, bill.subtotal), "discount": _money(bill, -bill.discount) if bill.discount else "",
        "tax": _money(bill, tax) if bill.taxes else "", "total": wording.money_text(bill.total, bill.currency),
        "total_in_words": in_words(bill.total, bill.currency, "th" if thai else "en"),
        "total_in_words_other": in_words(bill.total, bill.currency, other),
        "paid": _money(bill, -bill.paid) if bill.paid else "",
        "credited": _money(bill, -bill.credited) if bill.credited else "",
        "due": _money(bill, bill.due) if bill.due != bill.total else "",
        "note": bill.note, "annex_note": _annex_note(len(bill.lines)) if long else "",
        "payment_instructions": _payment(bill), "bank_name": settings.ORG_BANK_NAME,
        "bank_account": settings.ORG_BANK_ACCOUNT, "bank_holder": settings.ORG_BANK_HOLDER,
        "invoice_address": f"{settings.SITE_BASE_URL}/invoices/", "digest": bill.digest,
        "verify_address": bill.verify_page, "verify_words": _verify(bill), "qr": bill.verify_url if bill.digest else "",
        "lines": _sums(bill) if long else [_line_values(bill, line) for line in bill.lines],
        "taxes": [
            {"tax_label": each.label, "tax_rate": wording.rate_text(each.rate), "tax_base": _money(bill, each.base),
             "tax_amount": _money(bill, each.amount), "tax_reason": each.reason}
            for each in bill.taxes
        ],
    }  # fmt: skip


def annex_of(bill: Bill) -> Annex | None:
    """Every line, where they are too many for a template."""
    if len(bill.lines) <= MOST_LINES:
        return None
    rows = []
    for line in bill.lines:
        values = _line_values(bill, line)
        words = f"{line.number}. {line.words}" + (f" · {line.project}" if line.project else "")
        quantity = f"{values['line_quantity']} {values['line_unit']}".strip()
        rows.append((words, quantity, values["line_unit_price"], values["line_amount"]))
    amount = f"{_('Amount')} ({bill.currency})"
    return Annex(_("Annex: all lines"), (_("What"), _("Quantity"), _("Unit price"), amount), rows)


def across_of(bill: Bill) -> str:
    """What stands over each page, whatever the template says."""
    if bill.is_test:
        return _("TEST")
    return {"void": _("CANCELED"), "draft": _("DRAFT")}.get(bill.state.status, "")


def _line_values(bill: Bill, line: BillLine) -> dict[str, str]:
    price = "" if line.unit_price is None else wording.quantity_text(line.unit_price)
    if price and line.price_currency != bill.currency:
        price = f"{price} {line.price_currency}"
    return {
        "line_number": str(line.number), "line_description": line.words, "line_project": line.project,
        "line_quantity": wording.quantity_text(line.quantity),
        "line_unit": wording.unit_text(line.unit),
        "line_unit_price": price, "line_amount": _money(bill, line.total),
    }  # fmt: skip


def _sums(bill: Bill) -> list[dict[str, str]]:
    """Of an invoice with an annex: one line a project, at most as many as go on a page."""
    ordered = sorted(bill.lines, key=lambda line: line.project)
    groups = [(name, list(rows)) for name, rows in groupby(ordered, key=lambda line: line.project)]
    if len(groups) > MOST_LINES:
        groups = [("", ordered)]
    return [_sum(bill, name, rows) for name, rows in groups]


def _sum(bill: Bill, project: str, rows: Iterable[BillLine]) -> dict[str, str]:
    rows = list(rows)
    words = ngettext("%(n)d line of the annex", "%(n)d lines of the annex", len(rows)) % {"n": len(rows)}
    total = sum((row.total for row in rows), Decimal(0))
    return {
        "line_number": "", "line_description": words, "line_project": project, "line_quantity": "", "line_unit": "",
        "line_unit_price": "", "line_amount": _money(bill, total),
    }  # fmt: skip


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


def _verify(bill: Bill) -> str:
    return _("Scan the code, or open %(address)s and enter the number and the content hash. The page says whether "
             "this document was issued here and is unchanged.") % {"address": bill.verify_page}  # fmt: skip


def _state(status: str) -> str:
    return {"paid": _("PAID"), "void": _("CANCELED"), "draft": _("DRAFT")}.get(status, _("TO PAY"))


def _money(bill: Bill, amount: Decimal) -> str:
    return wording.decimal_text(amount, places(bill.currency))


def _labels() -> dict[str, str]:
    return {
        "label_for": _("For"), "label_month": _("Month"), "label_issued": _("Issued"), "label_due_on": _("Due on"),
        "label_exchange_rate": _("Exchange rate"), "label_tax_id": _("Tax id"), "label_description": _("What"),
        "label_quantity": _("Quantity"), "label_unit_price": _("Unit price"), "label_amount": _("Amount"),
        "label_subtotal": _("Subtotal"), "label_discount": _("Discount"), "label_total": _("Total"),
        "label_paid": _("Paid so far"), "label_credited": _("Credited"), "label_due": _("Due"),
        "label_note": _("Note"), "label_payment": _("How to pay"), "label_genuine": _("Is this document genuine?"),
        "label_digest": _("Content hash (SHA-256)"), "label_page": _("Page"),
        "label_tax_inside": _(
            "The prices of the lines hold the tax already; subtotal and discount are shown without it."
        ),
    }  # fmt: skip
