"""The look of a receipt on paper: first what it says, then every job.

The front is a row of blocks that flow down the page, each one line high or a few; so nothing is ever too tall
for a page. The annex has rows of one height: its pages are counted before the first is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from billing.documents import annex, qr, sheet
from billing.documents.paper import Paper
from billing.documents.sheet import ACCENT, BOTTOM, INK, INK2, LEFT, RIGHT, TOP, Sheets
from billing.documents.text import Typeface, clean
from billing.documents.words import in_words
from core.money import places
from core.periods import month_end
from core.words import wording

QR_SIZE = 82.0
CELLS = 3
GAP = 18.0
ADDRESS_LINES = 6


@dataclass(frozen=True, slots=True)
class Block:
    """``draw`` gets the upper edge. ``keep``: not the last on a page, what follows belongs to it."""

    height: float
    draw: Callable[[float], None]
    keep: bool = False


def render(paper: Paper, *, regular: Typeface, bold: Typeface) -> bytes:
    """The PDF, in the language that is active."""
    language = "th" if wording.is_thai() else "en"
    title = f"{_('Receipt')} {paper.number}"
    sheets = Sheets(
        regular=regular, bold=bold, language=language, title=title, author=paper.seller.name,
        subject=f"{wording.day_text(paper.start)} – {wording.day_text(paper.end)}", made=paper.changed_at,
    )  # fmt: skip
    pages = flow(Front(paper, sheets).blocks())
    used = sum(block.height for block in pages[-1])
    plan = annex.plan(paper.jobs, room=TOP - BOTTOM - used)
    count = len(pages) + plan.more_pages
    number = 0
    for number, blocks in enumerate(pages, 1):
        if number > 1:
            sheets.next_page()
        _dress(sheets, paper, number, count)
        y = TOP
        for block in blocks:
            block.draw(y)
            y -= block.height
    for page in annex.draw(sheets, paper, plan, TOP - used):
        _dress(sheets, paper, number + page, count)
    return sheets.finish()


def flow(blocks: Iterator[Block]) -> list[list[Block]]:
    """Blocks onto pages; a heading moves on with what it heads."""
    pages: list[list[Block]] = [[]]
    full = 0.0
    for block in blocks:
        if pages[-1] and full + block.height > TOP - BOTTOM:
            moved: list[Block] = []
            while len(pages[-1]) > 1 and pages[-1][-1].keep:
                moved.insert(0, pages[-1].pop())
            pages.append(moved)
            full = sum(each.height for each in moved)
        pages[-1].append(block)
        full += block.height
    return pages


def _dress(sheets: Sheets, paper: Paper, page: int, count: int) -> None:
    """What every page carries: its number, whose it is, and VOID across it when it is."""
    if paper.state.status == "void":
        sheets.across(_("VOID"), "#f3dcd9")
    sheets.rule(BOTTOM - 18)
    room = RIGHT - LEFT - 120
    words, size = sheets.regular.fit(f"{paper.seller.name} · {_('Receipt')} {paper.number}", 8, room, 6)
    sheets.text(LEFT, BOTTOM - 31, words, size, colour=INK2)
    words = _("Page %(page)s of %(count)s") % {"page": page, "count": count}
    sheets.text(RIGHT, BOTTOM - 31, words, 8, colour=INK2, align="right")


class Front:
    """The blocks of the first pages, from top to bottom."""

    def __init__(self, paper: Paper, sheets: Sheets) -> None:
        self.paper, self.sheets = paper, sheets
        self.lead = sheets.leading

    def blocks(self) -> Iterator[Block]:
        yield from self._head()
        yield from self._facts()
        yield from self._sums()
        yield from self._words()
        yield from self._note()
        yield from self._proof()

    def space(self, height: float, *, keep: bool = False) -> Block:
        return Block(height, lambda _y: None, keep)

    def line(self, words: str, size: float, *, x: float = LEFT, bold: bool = False, colour: str = INK,
             keep: bool = False) -> Block:  # fmt: skip
        height = size * self.lead
        return Block(
            height,
            lambda y: _done(self.sheets.text(x, y - height * 0.72, words, size, bold=bold, colour=colour)),
            keep,
        )

    # --- who and what ------------------------------------------------------------
    def _head(self) -> Iterator[Block]:
        """The seller at the left; the title, number and state at the right."""
        seller, sheets = self.paper.seller, self.sheets
        room = (RIGHT - LEFT) * 0.56
        names = sheets.bold.wrap(seller.name, 13, room - 32)
        small = sheets.regular.wrap(seller.address, 8.5, room)
        if seller.tax_id:
            small += sheets.regular.wrap(_("Tax id %(number)s") % {"number": seller.tax_id}, 8.5, room)
        if seller.email:
            small += sheets.regular.wrap(seller.email, 8.5, room)
        tall, low = 13 * self.lead, 8.5 * self.lead
        named = max(len(names) * tall, 24)
        first, rest = small[:ADDRESS_LINES], small[ADDRESS_LINES:]

        def draw(y: float) -> None:
            sheets.mark(LEFT, y - 22, 22)
            for at, words in enumerate(names):
                sheets.text(LEFT + 32, y - 15.5 - at * tall, words, 13, bold=True)
            for at, words in enumerate(first):
                sheets.text(LEFT, y - named - 14 - at * low, words, 8.5, colour=INK2)
            self._title(y)

        yield Block(max(named + 8 + len(first) * low, 84), draw)
        for words in rest:
            yield self.line(words, 8.5, colour=INK2)
        yield Block(GAP, lambda y: sheets.rule(y - 6, width=1.2, colour=ACCENT))

    def _title(self, y: float) -> None:
        sheets = self.sheets
        sheets.text(RIGHT, y - 20, _("Receipt"), 23, bold=True, align="right")
        words, size = sheets.bold.fit(self.paper.number, 11, (RIGHT - LEFT) * 0.4, 6)
        sheets.text(RIGHT, y - 40, words, size, bold=True, colour=ACCENT, align="right")
        word, front, back = {
            "paid": (_("PAID"), sheet.GOOD, sheet.GOOD_TINT),
            "refunded": (_("REFUNDED"), INK2, sheet.TINT),
            "void": (_("VOID"), sheet.BAD, sheet.BAD_TINT),
        }.get(self.paper.state.status, (_("TO PAY"), sheet.WARN, sheet.WARN_TINT))
        width = sheets.bold.width(word, 9) + 18
        sheets.box(RIGHT - width, y - 68, width, 19, back, radius=5)
        sheets.text(RIGHT - width / 2, y - 62, word, 9, bold=True, colour=front, align="center")

    def _facts(self) -> Iterator[Block]:
        """Label above value, three beside each other."""
        paper = self.paper
        cells = [
            (_("For"), paper.buyer),
            (_("Period"), f"{wording.day_text(paper.start)} – {wording.day_text(paper.end)}"),
            (_("Issued"), wording.day_text(paper.issued_on)),
            (_("Tier"), paper.tier),
            (_("Why this tier"), "\n".join(paper.reasons)),
            (_("Priced by the rates"), f"{paper.price_at}\n{wording.moment_text(paper.rates_as_of)}"),
            *self._state(),
        ]
        if paper.adjusts:
            cells.append(
                (
                    _("Late usage of"),
                    f"{wording.day_text(paper.adjusts)} – {wording.day_text(month_end(paper.adjusts))}",
                )
            )
        shown = [(label, value) for label, value in cells if value.strip()]
        for start in range(0, len(shown), CELLS):
            yield from self._cells(shown[start : start + CELLS])
            yield self.space(9)

    def _state(self) -> list[tuple[str, str]]:
        state = self.paper.state
        if state.status in ("paid", "refunded"):
            return [(_("Paid"), wording.moment_text(state.when)), (_("Payment reference"), state.detail)]
        if state.status == "void":
            return [(_("Voided"), wording.moment_text(state.when)), (_("Reason for voiding"), state.detail)]
        return []

    def _cells(self, cells: list[tuple[str, str]]) -> Iterator[Block]:
        sheets, wide = self.sheets, (RIGHT - LEFT) / CELLS
        values = [sheets.regular.wrap(value, 10, wide - 14) for _label, value in cells]
        height = 10 * self.lead

        def labels(y: float) -> None:
            for at, (label, _value) in enumerate(cells):
                sheets.text(LEFT + at * wide, y - 9, label, 8, colour=INK2)

        def draw(row: int) -> Callable[[float], None]:
            def at_row(y: float) -> None:
                for at, lines in enumerate(values):
                    if row < len(lines):
                        sheets.text(LEFT + at * wide, y - height * 0.72, lines[row], 10)

            return at_row

        yield Block(13, labels, keep=True)
        for row in range(max(map(len, values))):
            yield Block(height, draw(row))

    # --- how much ----------------------------------------------------------------
    def _sums(self) -> Iterator[Block]:
        paper, sheets = self.paper, self.sheets
        yield self.space(6)
        yield self.line(_("How the amount came about"), 12, bold=True, keep=True)
        yield self._row(
            ("", _("Hours"), _("Price per hour"), f"{_('Amount')} ({paper.currency})"), colour=INK2, size=8.5, keep=True
        )
        for row in paper.rows:
            hours, rate = wording.hours_text(row.hours, 4), wording.rate_text(row.rate)
            yield self._row((row.label, hours, f"× {rate}", f"= {self.money(row.cost)}"), keep=True)
        if paper.rounding:
            yield self._row((_("Rounding, line by line"), "", "", self.money(paper.rounding)), keep=True)
        yield from self._tax()
        height = 16 * self.lead + 8

        def total(y: float) -> None:
            sheets.box(LEFT, y - height, RIGHT - LEFT, height, sheet.TINT, radius=4)
            words = wording.money_text(paper.total, paper.currency)
            sheets.text(LEFT + 10, y - height * 0.64, _("Total"), 12, bold=True)
            sheets.text(RIGHT - 8, y - height * 0.66, words, 16, bold=True, align="right")

        yield self.space(4, keep=True)
        yield Block(height, total)
        if paper.tax and paper.tax.inclusive:
            yield self.space(3)
            yield from self._inside()

    def money(self, amount: Decimal) -> str:
        return wording.decimal_text(amount, places(self.paper.currency))

    def _tax(self) -> Iterator[Block]:
        tax = self.paper.tax
        if tax and not tax.inclusive:
            yield self._row((_("Subtotal"), "", "", self.money(self.paper.subtotal)), keep=True)
            yield self._row((self._tax_name(), "", "", self.money(tax.amount)), keep=True)

    def _inside(self) -> Iterator[Block]:
        """Tax inside the prices: what of the total it is, and what is left without it."""
        tax = self.paper.tax
        assert tax  # noqa: S101 - the caller looked
        words = _("of this %(tax)s, inside the prices") % {"tax": self._tax_name()}
        yield self._row((words, "", "", self.money(tax.amount)), size=9, colour=INK2)
        yield self._row((_("Amount without tax"), "", "", self.money(self.paper.subtotal)), size=9, colour=INK2)

    def _tax_name(self) -> str:
        tax = self.paper.tax
        return f"{tax.label} {wording.rate_text(tax.rate)} %".strip() if tax else ""

    def _row(self, cells: tuple[str, str, str, str], *, size: float = 10, colour: str = INK,
             keep: bool = False) -> Block:  # fmt: skip
        sheets, height = self.sheets, size * self.lead + 5
        edges = (RIGHT - 230, RIGHT - 118, RIGHT - 8)

        def draw(y: float) -> None:
            base = y - height * 0.66
            words, fitted = sheets.regular.fit(cells[0], size, 230, 6)
            sheets.text(LEFT, base, words, fitted, colour=colour)
            for edge, words in zip(edges, cells[1:], strict=True):
                sheets.text(edge, base, words, size, colour=colour, align="right")
            sheets.rule(y - height)

        return Block(height, draw, keep)

    def _words(self) -> Iterator[Block]:
        """The amount in words: in the document's language, then in the other where its letters are here."""
        mine = (get_language() or "en")[:2]
        other = "en" if mine == "th" else "th"
        yield self.space(5)
        for language, size, colour in ((mine, 10.0, INK), (other, 9.0, INK2)):
            words = in_words(self.paper.total, self.paper.currency, language)
            if language == "th" and not self.sheets.regular.sets(words):
                continue
            for line in self.sheets.regular.wrap(f"({words})", size, RIGHT - LEFT):
                yield self.line(line, size, colour=colour)

    def _note(self) -> Iterator[Block]:
        lines = self.sheets.regular.wrap(self.paper.note, 9.5, RIGHT - LEFT)
        if lines:
            yield self.space(8)
            yield self.line(_("Note"), 8, colour=INK2, keep=True)
        for words in lines:
            yield self.line(words, 9.5)

    # --- is it genuine -----------------------------------------------------------
    def _proof(self) -> Iterator[Block]:
        """The code that leads to the page which answers, and the hash for those who type."""
        paper, sheets = self.paper, self.sheets
        code = qr.encode(paper.verify_url)
        left = LEFT + QR_SIZE + 16
        words = _("Scan the code, or open %(address)s and enter the number and the content hash. The page says whether "
                  "this document was issued here and is unchanged.") % {"address": paper.verify_page}  # fmt: skip
        lines = sheets.regular.wrap(words, 8.5, RIGHT - left)[:5]
        low = 8.5 * self.lead

        def draw(y: float) -> None:
            sheets.code(LEFT, y - QR_SIZE, QR_SIZE, code)
            sheets.text(left, y - 10, _("Is this document genuine?"), 10, bold=True)
            for at, line in enumerate(lines):
                sheets.text(left, y - 12 - low - at * low, line, 8.5, colour=INK2)
            base = y - 18 - low * (len(lines) + 1)
            sheets.text(left, base, _("Content hash (SHA-256)"), 8, colour=INK2)
            half = len(paper.digest) // 2
            for at, part in enumerate((paper.digest[:half], paper.digest[half:])):
                sheets.fixed(left, base - 11 - at * 10, clean(part), 8.5)

        yield self.space(GAP)
        yield Block(max(QR_SIZE, 46 + low * (len(lines) + 1)), draw)


def _done(_value: object) -> None:
    """What draws gives nothing back."""
