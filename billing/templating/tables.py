"""Tables: columns as wide as written, else by what is in them; each row in one piece; the head again on every page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from billing.templating.layout import At, Layout, frame
from billing.templating.strips import Mark, Strip, merged, moved
from billing.templating.styles import in_points

LEAST = 14.0
MOST_COLUMNS = 24
SAMPLE = 300  # rows that are looked at for the widths of columns


class Row(NamedTuple):
    at: At
    cells: list[At]
    is_head: bool


def table_strips(layout: Layout, at: At, x: float, room: float) -> list[Strip]:
    rows = _rows(layout, at, room)
    count = min(max((sum(cell.element.span for cell in row.cells) for row in rows), default=0), MOST_COLUMNS)
    if not count:
        return []
    widths = _widths(layout, rows, count, room)
    head: list[Strip] = []
    strips: list[Strip] = []
    for number, row in enumerate(rows):
        strip = _row(layout, row, widths, x)
        outer = frame(at.style, x, room, strip.height, first=not number, last=number == len(rows) - 1)
        strip.marks = [*outer, *strip.marks]
        if row.is_head and len(head) == number:
            strip.keep = True
            head.append(strip)
        else:
            strip.repeat = tuple(head)
        strips.append(strip)
    return strips


def _rows(layout: Layout, at: At, room: float) -> list[Row]:
    found: list[Row] = []
    for _node, child in layout.below(at, room):
        if child is None:
            continue
        if child.element.tag == "tr":
            cells = [cell for _inner, cell in layout.below(child, room) if cell is not None]
            found.append(Row(child, cells, at.element.tag == "thead"))
        else:
            found += _rows(layout, child, room)
    return found


def _widths(layout: Layout, rows: list[Row], count: int, room: float) -> list[float]:
    given, wants = [0.0] * count, [LEAST] * count
    for column, cell in _single(rows, count):
        if cell.style.width:
            given[column] = max(given[column], in_points(cell.style.width, cell.style.size, room))
        elif not given[column]:
            wants[column] = max(wants[column], layout.natural(cell))
    fixed = sum(given)
    free = [column for column in range(count) if not given[column]]
    if fixed and fixed > room - LEAST * len(free):
        scale = max(room - LEAST * len(free), LEAST) / fixed
        given = [width * scale for width in given]
        fixed = sum(given)
    if not free:
        return [width * room / fixed for width in given]
    shared = _shared([wants[column] for column in free], max(room - fixed, LEAST * len(free)))
    for column, width in zip(free, shared, strict=True):
        given[column] = width
    return given


def _single(rows: list[Row], count: int) -> Iterator[tuple[int, At]]:
    """Cells of one column each; those that span several say nothing about any of them."""
    for row in rows[:SAMPLE]:
        column = 0
        for cell in row.cells:
            if cell.element.span == 1 and column < count:
                yield column, cell
            column += cell.element.span


def _shared(wants: list[float], room: float) -> list[float]:
    """All as they want and the rest in proportion; where it is not enough, the small ones first."""
    total = sum(wants)
    if total <= room:
        return [want * room / total for want in wants]
    widths = [0.0] * len(wants)
    left, open_ = room, sorted(range(len(wants)), key=wants.__getitem__)
    while open_:
        fair = left / len(open_)
        column = open_.pop(0)
        widths[column] = min(wants[column], fair)
        left -= widths[column]
    return widths


def _row(layout: Layout, row: Row, widths: list[float], x: float) -> Strip:
    column, placed, height = 0, list[tuple[At, float, float, Strip]](), row.at.style.height or 0.0
    for cell in row.cells:
        wide = sum(widths[column : column + cell.element.span])
        left = x + sum(widths[:column])
        column += cell.element.span
        if not wide:
            continue
        bare = replace(cell, style=replace(cell.style, background="", radius=0.0))
        inner = merged(layout.framed(_without_lines(bare), left, wide))
        lines = cell.style.border[0][0] + cell.style.border[2][0]
        height = max(height, inner.height + lines, cell.style.height or 0.0)
        placed.append((cell, left, wide, inner))
    width = sum(widths)
    marks: list[Mark] = frame(row.at.style, x, width, height)
    for cell, left, wide, inner in placed:
        marks += frame(cell.style, left, wide, height)
        spare = height - inner.height
        down = {"top": cell.style.border[0][0], "middle": spare / 2, "bottom": spare}[cell.style.valign]
        marks += moved(inner.marks, down)
    return Strip(height, marks, new_page=row.at.style.new_page)


def _without_lines(at: At) -> At:
    none = (0.0, "#000000")
    return replace(at, style=replace(at.style, border=(none, none, none, none)))
