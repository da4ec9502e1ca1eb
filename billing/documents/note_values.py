"""What a template's variables are on one credit note, in the language that is active. Values only."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from billing.documents.note_paper import NoteLine, NotePaper
from billing.documents.values import annex, common_labels, common_values, has_annex, in_sums, money, price_text
from billing.templating.document import Annex
from core.words import wording


def note_values(paper: NotePaper) -> dict[str, Any]:
    """A value for every name of ``templating.fields.CREDIT_NOTE``. Amounts are those given back, without a minus."""
    long = has_annex(paper)
    return {
        **_labels(), **common_values(paper),
        "is_whole": paper.whole, "title": _("Credit note"), "invoice_number": paper.invoice_number,
        "invoice_issued_on": wording.day_text(paper.invoice_issued_on), "reason": paper.reason,
        "invoice_value": money(paper, paper.invoice_value), "corrected_value": money(paper, paper.corrected_value),
        "tax": money(paper, paper.tax) if paper.taxes else "", "discount_note": discount_note(paper),
        "annex_note": _annex_note(len(paper.lines)) if long else "",
        "lines": in_sums(paper.lines, lambda rows: _sums(paper, rows)) if long
        else [line_values(paper, line) for line in paper.lines],
    }  # fmt: skip


def note_annex(paper: NotePaper) -> Annex | None:
    return annex(paper, lambda line: line_values(paper, line))


def line_values(paper: NotePaper, line: NoteLine) -> dict[str, str]:
    quantity = "" if line.quantity is None else wording.quantity_text(line.quantity)
    return {
        "line_number": str(line.number), "line_description": line.words, "line_project": line.project,
        "line_quantity": quantity, "line_unit": wording.unit_text(line.unit) if quantity else "",
        "line_unit_price": price_text(line.unit_price, line.price_currency, paper),
        "line_invoiced": money(paper, line.invoiced), "line_amount": money(paper, line.amount),
        "line_tax_rate": wording.rate_text(line.tax_rate), "line_tax": money(paper, line.tax),
    }  # fmt: skip


def discount_note(paper: NotePaper) -> str:
    return _("The amounts are those after the discount of the invoice.") if paper.discounted else ""


def tax_inside_note() -> str:
    return _("The amounts of the lines hold the tax already; the values are shown without it.")


def _sums(paper: NotePaper, rows: list[NoteLine]) -> dict[str, str]:
    sums = {name: sum((getattr(row, name) for row in rows), Decimal(0)) for name in ("invoiced", "amount", "tax")}
    return {"line_tax_rate": "", **{f"line_{name}": money(paper, amount) for name, amount in sums.items()}}


def _annex_note(count: int) -> str:
    return _("The %(n)d lines of this credit note are on the pages after it.") % {"n": count}


def _labels() -> dict[str, str]:
    return {
        **common_labels(), "label_month": _("Month of the invoice"), "label_invoice": _("Corrects the invoice"),
        "label_invoice_issued": _("Issued on"), "label_reason": _("Reason"), "label_invoiced": _("Invoiced"),
        "label_amount": _("Amount given back"), "label_tax": _("Tax"), "label_invoice_value": _("Value of the invoice"),
        "label_corrected_value": _("Corrected value"), "label_subtotal": _("Difference"),
        "label_total": _("Total given back"), "label_tax_inside": tax_inside_note(),
    }  # fmt: skip
