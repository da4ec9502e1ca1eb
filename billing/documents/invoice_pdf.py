"""The look of an invoice on paper: as a receipt looks, with its lines in between. See ``receipt_pdf``."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.utils import translation
from django.utils.translation import gettext as _

from billing.documents import sheet
from billing.documents.invoice_paper import Bill, BillLine, bill_of
from billing.documents.note_paper import NotePaper
from billing.documents.receipt_pdf import Block, Front, flow
from billing.documents.receipts import typefaces
from billing.documents.sheet import ACCENT, BOTTOM, INK, INK2, LEFT, RIGHT, TOP, Sheets
from billing.documents.template_values import across_of
from billing.documents.text import Typeface
from billing.documents.values import money, price_text
from billing.models import Invoice
from core.words import wording

UNIT, QUANTITY, AMOUNT = RIGHT - 88, RIGHT - 190, RIGHT - 8
SIZE, LOW = 9.0, 7.5


def invoice_pdf(*, invoice: Invoice, language: str) -> bytes:
    """The whole document. The same invoice in the same state gives the same bytes.

    Raises ``fonts.NoThaiFont`` when Thai is asked for and no Thai typeface is here.
    """
    regular, bold = typefaces(language)
    with translation.override(language):
        return render(bill_of(invoice), regular=regular, bold=bold)


def render(bill: Bill, *, regular: Typeface, bold: Typeface) -> bytes:
    """The PDF, in the language that is active."""
    sheets = Sheets(
        regular=regular, bold=bold, language="th" if wording.is_thai() else "en",
        title=f"{_('Invoice')} {bill.number}", author=bill.seller.name, subject=wording.month_text(bill.month),
        made=bill.changed_at,
    )  # fmt: skip
    words = f"{bill.seller.name} · {_('Invoice')} {bill.number}"
    return dressed(sheets, BillFront(bill, sheets).blocks(), words, across_of(bill))


def dressed(sheets: Sheets, blocks: Iterator[Block], words: str, across: str) -> bytes:
    """``blocks`` on as many pages as they need, each with ``words`` and its number at the foot."""
    pages = flow(blocks)
    for number, found in enumerate(pages, 1):
        if number > 1:
            sheets.next_page()
        _dress(sheets, words, across, number, len(pages))
        y = TOP
        for block in found:
            block.draw(y)
            y -= block.height
    return sheets.finish()


def _dress(sheets: Sheets, words: str, across: str, page: int, count: int) -> None:
    if across:
        sheets.across(across, "#f3dcd9")
    sheets.rule(BOTTOM - 18)
    words, size = sheets.regular.fit(words, 8, RIGHT - LEFT - 120, 6)
    sheets.text(LEFT, BOTTOM - 31, words, size, colour=INK2)
    words = _("Page %(page)s of %(count)s") % {"page": page, "count": count}
    sheets.text(RIGHT, BOTTOM - 31, words, 8, colour=INK2, align="right")


class BillFront(Front):
    """A receipt's front, but for its title, its facts and what stands in its middle."""

    paper: Bill  # type: ignore[assignment]  # the parts of a receipt's paper that the front reads are on it, too

    def __init__(self, paper: Bill | NotePaper, sheets: Sheets) -> None:
        self.paper, self.sheets = paper, sheets  # type: ignore[assignment]
        self.lead = sheets.leading

    def blocks(self) -> Iterator[Block]:
        yield from self._head()
        yield from self._facts()
        yield from self._lines()
        yield from self._sums()
        yield from self._words()
        yield from self._note()
        if self.paper.digest:
            yield from self._proof()

    def _title(self, y: float) -> None:
        sheets = self.sheets
        word, front, back = {
            "paid": (_("PAID"), sheet.GOOD, sheet.GOOD_TINT),
            "void": (_("CANCELED"), sheet.BAD, sheet.BAD_TINT),
            "draft": (_("DRAFT"), sheet.WARN, sheet.WARN_TINT),
        }.get(self.paper.state.status, (_("TO PAY"), sheet.WARN, sheet.WARN_TINT))
        width = sheets.bold.width(word, 9) + 18
        sheets.box(RIGHT - width, y - 68, width, 19, back, radius=5)
        sheets.text(RIGHT - width / 2, y - 62, word, 9, bold=True, colour=front, align="center")
        self.named(y, _("Invoice"), beside=width + 8)

    def named(self, y: float, title: str, *, beside: float = 0) -> None:
        """The kind of document, its number, and a word where it is none."""
        sheets = self.sheets
        sheets.text(RIGHT, y - 20, title, 23, bold=True, align="right")
        words, size = sheets.bold.fit(self.paper.number, 11, (RIGHT - LEFT) * 0.4, 6)
        sheets.text(RIGHT, y - 40, words, size, bold=True, colour=ACCENT, align="right")
        if self.paper.is_test:
            words, size = sheets.bold.fit(_("TEST: no real document"), 9, (RIGHT - LEFT) * 0.35, 6)
            sheets.text(RIGHT - beside, y - 62, words, size, bold=True, colour=sheet.BAD, align="right")

    def _facts(self) -> Iterator[Block]:
        bill = self.paper
        yield from self.facts(
            [
                (_("For"), bill.buyer),
                (_("Month"), wording.month_text(bill.month)),
                (_("Issued"), wording.day_text(bill.issued_on)),
                (_("Due on"), wording.day_text(bill.due_on)),
                (_("Exchange rate"), bill.conversion),
            ]
        )

    def facts(self, cells: list[tuple[str, str]]) -> Iterator[Block]:
        """Three beside each other; without those that say nothing."""
        shown = [(label, value) for label, value in cells if value.strip()]
        for start in range(0, len(shown), 3):
            yield from self._cells(shown[start : start + 3])
            yield self.space(9)

    # --- its lines -----------------------------------------------------------------
    def _lines(self) -> Iterator[Block]:
        yield self.space(6)
        names = (_("What"), _("Quantity"), _("Unit price"), f"{_('Amount')} ({self.paper.currency})")
        yield self._line_row(names, "", size=8, colour=INK2, keep=True)
        for line in self.paper.lines:
            yield from self._line(line)

    def _line(self, line: BillLine) -> Iterator[Block]:
        quantity = f"{wording.quantity_text(line.quantity)} {wording.unit_text(line.unit)}".strip()
        price = price_text(line.unit_price, line.price_currency, self.paper)
        cells = (f"{line.number}. {line.words}", quantity, price, self.money(line.total))
        yield self._line_row(cells, line.project)

    def _line_row(
        self, cells: tuple[str, str, str, str], below: str, *, size: float = SIZE, colour: str = INK, keep: bool = False
    ) -> Block:
        sheets = self.sheets
        room = QUANTITY - 78 - LEFT
        wrapped = sheets.regular.wrap(cells[0], size, room)[:4]
        more = sheets.regular.wrap(below, LOW, room)[:1] if below else []
        first = size * self.lead
        height = first * len(wrapped) + LOW * self.lead * len(more) + 5

        def draw(y: float) -> None:
            for at, words in enumerate(wrapped):
                sheets.text(LEFT, y - first * (at + 0.72), words, size, colour=colour)
            for words in more:
                sheets.text(LEFT, y - first * len(wrapped) - LOW * self.lead * 0.72, words, LOW, colour=INK2)
            for edge, words, width in ((QUANTITY, cells[1], 76), (UNIT, cells[2], 96), (AMOUNT, cells[3], 78)):
                fitted, small = sheets.regular.fit(words, size, width, 5.5)
                sheets.text(edge, y - first * 0.72, fitted, small, colour=colour, align="right")
            sheets.rule(y - height)

        return Block(height, draw, keep)

    # --- how much ------------------------------------------------------------------
    def _sums(self) -> Iterator[Block]:
        bill = self.paper
        yield self.space(8)
        if bill.discount or bill.taxes:
            yield self._row((_("Subtotal"), "", "", self.money(bill.subtotal)), keep=True)
        if bill.discount:
            yield self._row((_("Discount"), "", "", self.money(-bill.discount)), keep=True)
        yield from self.tax_rows()
        yield self.space(4, keep=True)
        yield self.total(_("Total"))
        yield from self._after()

    def tax_rows(self) -> Iterator[Block]:
        for tax in self.paper.taxes:
            on = _("on %(base)s") % {"base": self.money(tax.base)}
            name = f"{tax.label} {wording.rate_text(tax.rate)} %"
            yield self._row((name, on, "", self.money(tax.amount)), keep=True)
            for line in self.sheets.regular.wrap(tax.reason, 8, RIGHT - LEFT) if tax.reason else ():
                yield self.line(line, 8, colour=INK2)

    def total(self, words: str) -> Block:
        bill, sheets = self.paper, self.sheets
        height = 16 * self.lead + 8

        def draw(y: float) -> None:
            sheets.box(LEFT, y - height, RIGHT - LEFT, height, sheet.TINT, radius=4)
            sum_ = wording.money_text(bill.total, bill.currency)
            sheets.text(LEFT + 10, y - height * 0.64, words, 12, bold=True)
            sheets.text(RIGHT - 8, y - height * 0.66, sum_, 16, bold=True, align="right")

        return Block(height, draw)

    def _after(self) -> Iterator[Block]:
        """What was paid and taken back of it, and what is left."""
        bill = self.paper
        for words, amount in ((_("Paid so far"), bill.paid), (_("Credited"), bill.credited)):
            if amount:
                yield self._row((words, "", "", self.money(-amount)), size=9, colour=INK2)
        if bill.due != bill.total:
            yield self._row((_("Due"), "", "", self.money(bill.due)))
        if bill.inclusive:
            words = _("The prices of the lines hold the tax already; subtotal and discount are shown without it.")
            for line in self.sheets.regular.wrap(words, 8, RIGHT - LEFT):
                yield self.line(line, 8, colour=INK2)

    def money(self, amount: Decimal) -> str:
        return money(self.paper, amount)
