"""The built-in look of a credit note on paper: as an invoice looks, with what it corrects and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import translation
from django.utils.translation import gettext as _

from billing.documents.invoice_pdf import BillFront, dressed
from billing.documents.note_paper import NoteLine, NotePaper, note_paper_of
from billing.documents.note_values import discount_note, line_values, tax_inside_note
from billing.documents.receipt_pdf import Block
from billing.documents.receipts import typefaces
from billing.documents.sheet import INK2, LEFT, RIGHT, Sheets
from billing.documents.text import Typeface
from billing.models import CreditNote
from core.words import wording


def note_pdf(*, note: CreditNote, language: str) -> bytes:
    """The whole document. The same note gives the same bytes.

    Raises ``fonts.NoThaiFont`` when Thai is asked for and no Thai typeface is here.
    """
    regular, bold = typefaces(language)
    with translation.override(language):
        return render(note_paper_of(note), regular=regular, bold=bold)


def render(paper: NotePaper, *, regular: Typeface, bold: Typeface) -> bytes:
    """The PDF, in the language that is active."""
    title = f"{_('Credit note')} {paper.number}"
    sheets = Sheets(
        regular=regular, bold=bold, language="th" if wording.is_thai() else "en", title=title, author=paper.seller.name,
        subject=wording.month_text(paper.month), made=paper.changed_at,
    )  # fmt: skip
    across = _("TEST") if paper.is_test else ""
    return dressed(sheets, _Note(paper, sheets).blocks(), f"{paper.seller.name} · {title}", across)


class _Note(BillFront):
    """An invoice's front, but for its facts, its lines and its sums."""

    paper: NotePaper  # type: ignore[assignment]  # the parts that the front reads are on it, too

    def _note(self) -> Iterator[Block]:
        yield from ()  # a note says why, among its facts

    def _title(self, y: float) -> None:
        self.named(y, _("Credit note"))

    def _facts(self) -> Iterator[Block]:
        paper = self.paper
        yield from self.facts(
            [
                (_("For"), paper.buyer),
                (_("Issued"), wording.day_text(paper.issued_on)),
                (_("Corrects the invoice"), f"{paper.invoice_number}\n{wording.day_text(paper.invoice_issued_on)}"),
                (_("Reason"), paper.reason),
                (_("Month of the invoice"), wording.month_text(paper.month)),
                (_("Exchange rate"), paper.conversion),
            ]
        )

    def _lines(self) -> Iterator[Block]:
        yield self.space(6)
        names = (_("What"), _("Quantity"), _("Unit price"), f"{_('Amount given back')} ({self.paper.currency})")
        yield self._line_row(names, "", size=8, colour=INK2, keep=True)
        for line in self.paper.lines:
            yield self._given(line)

    def _given(self, line: NoteLine) -> Block:
        values = line_values(self.paper, line)
        below = [line.project] if line.project else []
        if line.amount != line.invoiced:
            below.append(_("invoiced: %(amount)s") % {"amount": values["line_invoiced"]})
        quantity = f"{values['line_quantity']} {values['line_unit']}".strip()
        cells = (f"{line.number}. {line.words}", quantity, values["line_unit_price"], values["line_amount"])
        return self._line_row(cells, " · ".join(below))

    def _sums(self) -> Iterator[Block]:
        paper = self.paper
        yield self.space(8)
        for words, amount in (
            (_("Value of the invoice"), paper.invoice_value), (_("Corrected value"), paper.corrected_value),
            (_("Difference"), paper.subtotal),
        ):  # fmt: skip
            yield self._row((words, "", "", self.money(amount)), keep=True)
        yield from self.tax_rows()
        yield self.space(4, keep=True)
        yield self.total(_("Total given back"))
        for words in (discount_note(paper), tax_inside_note() if paper.inclusive else ""):
            for line in self.sheets.regular.wrap(words, 8, RIGHT - LEFT) if words else ():
                yield self.line(line, 8, colour=INK2)
