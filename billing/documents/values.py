"""What a template's variables are on an invoice and on a credit note alike, in the language that is active."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, TypeVar

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.documents.invoice_paper import Bill, BillLine
from billing.documents.note_paper import NoteLine, NotePaper
from billing.documents.words import in_words
from billing.templating.document import Annex
from core.money import places
from core.words import wording

MOST_LINES = 200  # more than these go to an annex, and the template gets their sums
Paper = Bill | NotePaper
Line = TypeVar("Line", BillLine, NoteLine)
Values = dict[str, str]


def common_values(paper: Paper) -> dict[str, Any]:
    """Amounts as people read them; nothing to show is empty text."""
    thai = wording.is_thai()
    mine, other = ("th", "en") if thai else ("en", "th")
    name, _line, email = paper.buyer.partition("\n")
    return {
        "english": not thai, "thai": thai, "is_tax_inside": paper.inclusive, "has_annex": has_annex(paper),
        "number": paper.number, "month": wording.month_text(paper.month),
        "issued_on": wording.day_text(paper.issued_on), "currency": paper.currency, "exchange_rate": paper.conversion,
        "seller_name": paper.seller.name, "seller_address": paper.seller.address,
        "seller_tax_id": paper.seller.tax_id, "seller_email": paper.seller.email, "buyer_name": name,
        "buyer_email": email, "subtotal": money(paper, paper.subtotal),
        "total": wording.money_text(paper.total, paper.currency),
        "total_in_words": in_words(paper.total, paper.currency, mine),
        "total_in_words_other": in_words(paper.total, paper.currency, other),
        "invoice_address": f"{settings.SITE_BASE_URL}/invoices/", "digest": paper.digest,
        "verify_address": paper.verify_page, "verify_words": _verify(paper),
        "qr": paper.verify_url if paper.digest else "",
        "taxes": [
            {"tax_label": each.label, "tax_rate": wording.rate_text(each.rate), "tax_base": money(paper, each.base),
             "tax_amount": money(paper, each.amount), "tax_reason": each.reason}
            for each in paper.taxes
        ],
    }  # fmt: skip


def common_labels() -> Values:
    return {
        "label_for": _("For"), "label_issued": _("Issued"), "label_exchange_rate": _("Exchange rate"),
        "label_tax_id": _("Tax id"), "label_description": _("What"), "label_quantity": _("Quantity"),
        "label_unit_price": _("Unit price"), "label_genuine": _("Is this document genuine?"),
        "label_digest": _("Content hash (SHA-256)"), "label_page": _("Page"),
    }  # fmt: skip


def has_annex(paper: Paper) -> bool:
    return len(paper.lines) > MOST_LINES


def annex(paper: Paper, values: Callable[[Any], Values]) -> Annex | None:
    """Every line, where they are too many for a template."""
    if not has_annex(paper):
        return None
    rows = []
    for line in paper.lines:
        said = values(line)
        words = f"{line.number}. {line.words}" + (f" · {line.project}" if line.project else "")
        quantity = f"{said['line_quantity']} {said['line_unit']}".strip()
        rows.append((words, quantity, said["line_unit_price"], said["line_amount"]))
    amount = f"{_('Amount')} ({paper.currency})"
    return Annex(_("Annex: all lines"), (_("What"), _("Quantity"), _("Unit price"), amount), rows)


def in_sums(lines: Sequence[Line], amounts: Callable[[list[Line]], Values]) -> list[Values]:
    """Of a document with an annex: one line a project, at most as many as go on a page."""
    ordered = sorted(lines, key=lambda line: line.project)
    groups = [(name, list(rows)) for name, rows in groupby(ordered, key=lambda line: line.project)]
    if len(groups) > MOST_LINES:
        groups = [("", ordered)]
    return [
        {
            "line_number": "", "line_project": project, "line_quantity": "", "line_unit": "", "line_unit_price": "",
            "line_description": ngettext("%(n)d line of the annex", "%(n)d lines of the annex", len(rows))
            % {"n": len(rows)},
            **amounts(rows),
        }
        for project, rows in groups
    ]  # fmt: skip


def price_text(unit_price: Decimal | None, currency: str, paper: Paper) -> str:
    """With its currency where that is not the document's."""
    price = "" if unit_price is None else wording.quantity_text(unit_price)
    return f"{price} {currency}" if price and currency != paper.currency else price


def money(paper: Paper, amount: Decimal) -> str:
    return wording.decimal_text(amount, places(paper.currency))


def _verify(paper: Paper) -> str:
    return _("Scan the code, or open %(address)s and enter the number and the content hash. The page says whether "
             "this document was issued here and is unchanged.") % {"address": paper.verify_page}  # fmt: skip
