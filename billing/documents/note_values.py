"""What a template's variables are on one credit note, in the language that is active. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.documents.note_paper import NoteLine, NotePaper
from billing.documents.template_values import MOST_LINES
from billing.documents.words import in_words
from billing.templating.document import Annex
from core import wording
from core.money import places


def note_values(paper: NotePaper) -> dict[str, Any]:
    """A value for every name of ``templating.fields.CREDIT_NOTE``. Amounts are those given back, without a minus."""
    thai = wording.is_thai()
    mine, other = ("th", "en") if thai else ("en", "th")
    name, _line, email = paper.buyer.partition("\n")
    long = len(paper.lines) > MOST_LINES
    return {
        **_labels(),
        "english": not thai, "thai": thai, "is_whole": paper.whole, "is_tax_inside": paper.inclusive, "has_annex": long,
        "title": _("Credit note"), "number": paper.number, "invoice_number": paper.invoice_number,
        "invoice_issued_on": wording.day_text(paper.invoice_issued_on), "month": wording.month_text(paper.month),
        "issued_on": wording.day_text(paper.issued_on), "reason": paper.reason, "currency": paper.currency,
        "exchange_rate": paper.conversion, "seller_name": paper.seller.name, "seller_address": paper.seller.address,
        "seller_tax_id": paper.seller.tax_id, "seller_email": paper.seller.email, "buyer_name": name,
        "buyer_email": email, "invoice_value": _money(paper, paper.invoice_value),
        "corrected_value": _money(paper, paper.corrected_value), "subtotal": _money(paper, paper.subtotal),
        "tax": _money(paper, paper.tax) if paper.taxes else "",
        "total": wording.money_text(paper.total, paper.currency),
        "total_in_words": in_words(paper.total, paper.currency, mine),
        "total_in_words_other": in_words(paper.total, paper.currency, other),
        "discount_note": discount_note(paper), "annex_note": _annex_note(len(paper.lines)) if long else "",
        "invoice_address": f"{settings.SITE_BASE_URL}/invoices/", "digest": paper.digest,
        "verify_address": paper.verify_page,
        "verify_words": _("Scan the code, or open %(address)s and enter the number and the content hash. The page says "
                          "whether this document was issued here and is unchanged.") % {"address": paper.verify_page},
        "qr": paper.verify_url if paper.digest else "",
        "lines": _sums(paper) if long else [line_values(paper, line) for line in paper.lines],
        "taxes": [
            {"tax_label": each.label, "tax_rate": wording.rate_text(each.rate), "tax_base": _money(paper, each.base),
             "tax_amount": _money(paper, each.amount), "tax_reason": each.reason}
            for each in paper.taxes
        ],
    }  # fmt: skip


def note_annex(paper: NotePaper) -> Annex | None:
    """Every line, where they are too many for a template."""
    if len(paper.lines) <= MOST_LINES:
        return None
    rows = []
    for line in paper.lines:
        values = line_values(paper, line)
        words = f"{line.number}. {line.words}" + (f" · {line.project}" if line.project else "")
        quantity = f"{values['line_quantity']} {values['line_unit']}".strip()
        rows.append((words, quantity, values["line_unit_price"], values["line_amount"]))
    amount = f"{_('Amount')} ({paper.currency})"
    return Annex(_("Annex: all lines"), (_("What"), _("Quantity"), _("Unit price"), amount), rows)


def line_values(paper: NotePaper, line: NoteLine) -> dict[str, str]:
    price = "" if line.unit_price is None else wording.quantity_text(line.unit_price)
    if price and line.price_currency != paper.currency:
        price = f"{price} {line.price_currency}"
    quantity = "" if line.quantity is None else wording.quantity_text(line.quantity)
    return {
        "line_number": str(line.number), "line_description": line.words, "line_project": line.project,
        "line_quantity": quantity, "line_unit": wording.unit_text(line.unit) if quantity else "",
        "line_unit_price": price, "line_invoiced": _money(paper, line.invoiced),
        "line_amount": _money(paper, line.amount), "line_tax_rate": wording.rate_text(line.tax_rate),
        "line_tax": _money(paper, line.tax),
    }  # fmt: skip


def discount_note(paper: NotePaper) -> str:
    return _("The amounts are those after the discount of the invoice.") if paper.discounted else ""


def tax_inside_note() -> str:
    return _("The amounts of the lines hold the tax already; the values are shown without it.")


def _sums(paper: NotePaper) -> list[dict[str, str]]:
    """Of a note with an annex: one line a project, at most as many as go on a page."""
    ordered = sorted(paper.lines, key=lambda line: line.project)
    groups = [(name, list(rows)) for name, rows in groupby(ordered, key=lambda line: line.project)]
    if len(groups) > MOST_LINES:
        groups = [("", ordered)]
    return [_sum(paper, name, rows) for name, rows in groups]


def _sum(paper: NotePaper, project: str, rows: Iterable[NoteLine]) -> dict[str, str]:
    rows = list(rows)
    words = ngettext("%(n)d line of the annex", "%(n)d lines of the annex", len(rows)) % {"n": len(rows)}
    invoiced, amount, tax = (
        _money(paper, sum((getattr(row, name) for row in rows), Decimal(0))) for name in ("invoiced", "amount", "tax")
    )
    return {
        "line_number": "", "line_description": words, "line_project": project, "line_quantity": "", "line_unit": "",
        "line_unit_price": "", "line_invoiced": invoiced, "line_amount": amount, "line_tax_rate": "", "line_tax": tax,
    }  # fmt: skip


def _annex_note(count: int) -> str:
    return _("The %(n)d lines of this credit note are on the pages after it.") % {"n": count}


def _money(paper: NotePaper, amount: Decimal) -> str:
    return wording.decimal_text(amount, places(paper.currency))


def _labels() -> dict[str, str]:
    return {
        "label_for": _("For"), "label_month": _("Month of the invoice"), "label_issued": _("Issued"),
        "label_invoice": _("Corrects the invoice"), "label_invoice_issued": _("Issued on"), "label_reason": _("Reason"),
        "label_exchange_rate": _("Exchange rate"), "label_tax_id": _("Tax id"), "label_description": _("What"),
        "label_quantity": _("Quantity"), "label_unit_price": _("Unit price"), "label_invoiced": _("Invoiced"),
        "label_amount": _("Amount given back"), "label_tax": _("Tax"), "label_invoice_value": _("Value of the invoice"),
        "label_corrected_value": _("Corrected value"), "label_subtotal": _("Difference"),
        "label_total": _("Total given back"), "label_genuine": _("Is this document genuine?"),
        "label_digest": _("Content hash (SHA-256)"), "label_page": _("Page"), "label_tax_inside": tax_inside_note(),
    }  # fmt: skip
