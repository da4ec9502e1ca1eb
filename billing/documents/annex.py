"""The annex: every job of the receipt, one line each. Time grows with their number, memory hardly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.documents.paper import Line, Paper
from billing.documents.sheet import ACCENT, BOTTOM, INK, INK2, LEFT, RIGHT, TOP, Sheets
from core.money import places
from core.words import wording

ROW = 14.2
HEAD = 52.0  # heading and names of the columns
GAP = 16.0
SIZE, LEAST = 8.5, 5.5
# Right edges of the figures; the texts stand at the left.
ACCOUNT, CPU, GPU, MEM, COST = LEFT + 122, RIGHT - 216, RIGHT - 146, RIGHT - 76, RIGHT


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows of the first page that has any (the total is a row), and of each page after it."""

    rows: int
    on_front: bool
    each: int

    @property
    def more_pages(self) -> int:
        """Pages that the annex adds."""
        return 0 if self.on_front else -(-self.rows // self.each)


def plan(jobs: int, *, room: float) -> Plan:
    """On the front where all of it fits into ``room``, else on pages of its own."""
    rows = jobs + 1
    return Plan(rows, GAP + HEAD + rows * ROW <= room, int((TOP - BOTTOM - HEAD) // ROW))


def draw(sheets: Sheets, paper: Paper, plan: Plan, y: float) -> Iterator[int]:
    """Draws it all. Yields 1, 2, ... whenever it has begun a page of its own, so that the caller dresses it."""
    page, left = 0, plan.rows if plan.on_front else 0
    y -= GAP
    if plan.on_front:
        y = _head(sheets, paper, y)
    hand = _Hand(sheets, paper)
    for row in _rows(paper):
        if not left:
            page += 1
            sheets.next_page()
            yield page
            y, left = _head(sheets, paper, TOP), plan.each
        y -= ROW
        left -= 1
        if row is None:
            hand.total(y)
        else:
            hand.line(row, y)


def _rows(paper: Paper) -> Iterator[Line | None]:
    """The lines, then None for their total."""
    yield from paper.lines()
    yield None


def _head(sheets: Sheets, paper: Paper, y: float) -> float:
    sheets.text(LEFT, y - 15, _("Jobs on this receipt"), 12, bold=True)
    base = y - 38
    sheets.text(LEFT, base, _("Job"), 8, colour=INK2)
    sheets.text(ACCOUNT, base, _("Account"), 8, colour=INK2)
    names = (
        (CPU, _("Core-hours")), (GPU, _("GPU-hours")), (MEM, _("GB-hours")), (COST, f"{_('Cost')} ({paper.currency})"),
    )  # fmt: skip
    for edge, name in names:
        sheets.text(edge, base, name, 8, colour=INK2, align="right")
    sheets.rule(y - HEAD + 5, width=0.8, colour=ACCENT)
    return y - HEAD


class _Hand:
    """Writes rows. Figures are worded here and not by Babel: four thousand rows have twenty thousand of them."""

    def __init__(self, sheets: Sheets, paper: Paper) -> None:
        self.sheets, self.paper = sheets, paper
        self.decimals = places(paper.currency)

    def line(self, line: Line, y: float) -> None:
        sheets = self.sheets
        base = y + ROW * 0.3
        for x, room, words in ((LEFT, ACCOUNT - LEFT - 8, line.job_id), (ACCOUNT, CPU - ACCOUNT - 62, line.account)):
            shown, size = sheets.regular.fit(words, SIZE, room, LEAST)
            sheets.text(x, base, shown, size)
        for edge, hours in ((CPU, line.cpu), (GPU, line.gpu), (MEM, line.mem)):
            words, colour = (f"{hours:,.4f}", INK) if hours else ("–", INK2)
            sheets.text(edge, base, words, SIZE, colour=colour, align="right")
        sheets.text(COST, base, f"{line.cost:,.{self.decimals}f}", SIZE, align="right")
        sheets.rule(y, width=0.35)

    def total(self, y: float) -> None:
        sheets, paper = self.sheets, self.paper
        base = y + ROW * 0.3
        sheets.text(LEFT, base, _("Total"), SIZE, bold=True)
        for edge, row in zip((CPU, GPU, MEM), paper.rows, strict=True):
            sheets.text(edge, base, wording.hours_text(row.hours, 4), SIZE, bold=True, align="right")
        words = wording.decimal_text(Decimal(paper.lines_total), self.decimals)
        sheets.text(COST, base, words, SIZE, bold=True, align="right")
