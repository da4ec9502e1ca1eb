"""A template, its values and the typefaces become pages of marks: margins, header and footer, body, then the annex."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing.documents.sheet import HEIGHT, INK2, WIDTH
from billing.templating import legibility, markup, styles
from billing.templating.cascade import Cascade, Style
from billing.templating.fields import KINDS
from billing.templating.filling import fill, page_numbers
from billing.templating.inline import Faces
from billing.templating.layout import Layout
from billing.templating.markup import Element
from billing.templating.problems import DOCUMENT, Problem, Refused
from billing.templating.strips import Box, Mark, Strip, Words, merged, moved, paged

MOST_PAGES = 60
MOST_MARKS = 200_000
LEAST_ROOM = 200.0
ROW, SMALL = 13.0, 7.5


@dataclass(frozen=True, slots=True)
class Annex:
    """Lists that are too long for a template: ``rows`` have a cell a column; the last three stand at the right."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]


def compose(
    html: str, css: str, values: Mapping[str, Any], faces: Faces, *, leading: float, annex: Annex | None = None,
    kind: str = "invoice", readable: bool = False,
) -> list[list[Mark]]:  # fmt: skip
    """Marks of each page, from the sheet's upper left corner. Raises ``Refused``; with ``readable`` also where what has
    to be shown cannot be read."""
    sheet, tree = check(html, css, kind)
    fields = KINDS[kind]
    pages = _set(Cascade(sheet), tree, values, faces, leading, annex, fields.needed if readable else ())
    if readable and (unread := legibility.unread(pages, legibility.of_document(values, fields))):
        raise Refused(*(Problem(DOCUMENT, 0, code, f"{{{{{name}}}}}") for name, code in unread.items()))
    return pages


def check_readable(html: str, css: str, faces: Faces, kind: str = "invoice") -> None:
    """Raises ``Refused`` for what is wrong in either part, and where what has to be shown cannot be read."""
    sheet, tree = check(html, css, kind)
    cascade, fields = Cascade(sheet), KINDS[kind]
    found, failed = legibility.situations(tree, fields), dict[int, dict[str, str]]()
    for number, situation in enumerate(found):
        values, wanted = legibility.values_of(situation, fields), legibility.expected(situation, fields)
        pages = _set(cascade, tree, values, faces, leading_of(thai=situation["thai"]), traced=fields.needed)
        if unread := legibility.unread(pages, wanted):
            failed[number] = unread
    if failed:
        guards = legibility.guards_of(tree, fields.needed)
        raise Refused(*legibility.problems_of(failed, found, guards))


def leading_of(*, thai: bool) -> float:
    """Thai has signs above and below its letters."""
    return 1.6 if thai else 1.42


def _set(
    cascade: Cascade, tree: Element, values: Mapping[str, Any], faces: Faces, leading: float,
    annex: Annex | None = None, traced: Collection[str] = (),
) -> list[list[Mark]]:  # fmt: skip
    filled = fill(tree, values, traced)
    margins = cascade.margins
    layout, base = Layout(cascade, faces), Style(leading=leading)
    left, room = margins[3], WIDTH - margins[1] - margins[3]
    header, footer = (_margin(filled, tag) for tag in ("header", "footer"))
    filled.children = [node for node in filled.children if node not in (header, footer)]

    def draw(element: Element, page: int, pages: int) -> Strip:
        return merged(layout.root(_alone(page_numbers(element, page, pages)), base, left, room))

    above, below = (draw(part, 88, 88).height if part else 0.0 for part in (header, footer))
    high = HEIGHT - margins[0] - margins[2] - above - below
    if high < LEAST_ROOM:
        raise Refused(Problem(DOCUMENT, 0, "no_room"))
    pages = paged(layout.root(filled, base, left, room), high)
    if len(pages) > MOST_PAGES:
        raise Refused(Problem(DOCUMENT, 0, "too_many_pages", str(MOST_PAGES)))
    pages += paged(_annex(annex, faces, left, room), high) if annex else []
    found: list[list[Mark]] = []
    for number, strips in enumerate(pages, 1):
        top = moved(draw(header, number, len(pages)).marks, margins[0]) if header else []
        foot = moved(draw(footer, number, len(pages)).marks, HEIGHT - margins[2] - below) if footer else []
        found.append([*top, *moved(merged(strips).marks, margins[0] + above), *foot])
    if sum(map(len, found)) > MOST_MARKS:
        raise Refused(Problem(DOCUMENT, 0, "document_size", str(MOST_MARKS)))
    return found


def check(html: str, css: str, kind: str = "invoice") -> tuple[styles.Sheet, Element]:
    """Both parts as read. Raises ``Refused`` with what is wrong in either."""
    problems: list[Problem] = []
    tree = sheet = None
    try:
        tree = markup.read(html, KINDS[kind])
    except Refused as refused:
        problems += refused.problems
    try:
        sheet = styles.read(css)
    except Refused as refused:
        problems += refused.problems
    if tree is None or sheet is None:
        raise Refused(*problems)
    return sheet, tree


def _margin(tree: Element, tag: str) -> Element | None:
    """The last one counts."""
    found = [node for node in tree.children if isinstance(node, Element) and node.tag == tag]
    return found[-1] if found else None


def _alone(element: Element) -> Element:
    return Element("", children=[element])


def _annex(annex: Annex, faces: Faces, left: float, room: float) -> list[Strip]:
    """Rows of one height; what is too long loses its middle."""
    edge = left + room
    columns = [(left, room * 0.5, "left"), (left + room * 0.68, room * 0.17, "right"),
               (left + room * 0.84, room * 0.15, "right"), (edge, room * 0.15, "right")]  # fmt: skip

    def row(cells: Sequence[str], colour: str = "#1c2430") -> Strip:
        marks: list[Mark] = [Box(left, ROW - 0.4, room, 0.4, "#dfdcd3")]
        for (x, width, align), cell in zip(columns, cells, strict=True):
            text, size = faces.regular.fit(cell, SMALL, width, 5)
            wide = faces.regular.width(text, size)
            marks.append(Words(x - wide if align == "right" else x, ROW * 0.7, text, size, False, False, colour, wide))
        return Strip(ROW, marks)

    head = row(annex.columns, INK2)
    head.keep = True
    title = Words(left, 14, annex.title, 13, True, False, "#1c2430", faces.bold.width(annex.title, 13))
    rows = [row(cells) for cells in annex.rows]
    for strip in rows:
        strip.repeat = (head,)
    return [Strip(24, [title], keep=True), head, *rows]
