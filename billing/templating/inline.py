"""Words into lines: spaces fold, lines end where Thai and Latin permit it, styles change within a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from billing.documents import thai
from billing.documents.text import SPACEFUL, Typeface, clean
from billing.templating.cascade import Style
from billing.templating.strips import Mark, Strip, Words

BASELINE = 0.72
_SPACES = re.compile(r"[ \t\r\n\f]+")


class Span(NamedTuple):
    """``text`` None: the line ends here."""

    text: str | None
    style: Style


class Faces(NamedTuple):
    regular: Typeface
    bold: Typeface
    mono: Typeface

    def of(self, style: Style) -> Typeface:
        return self.mono if style.mono else self.bold if style.bold else self.regular

    def width(self, text: str, style: Style) -> float:
        return self.of(style).width(text, style.size)


class Piece(NamedTuple):
    """What no line end parts: a stretch of one word in each style."""

    spans: tuple[Span, ...]
    width: float
    bare: float  # without the space at its end
    letters: int

    @property
    def ends_with_space(self) -> bool:
        return self.bare < self.width


def paragraph(spans: list[Span], base: Style, faces: Faces, x: float, room: float) -> list[Strip]:
    """A strip a line; none where there is nothing but spaces."""
    strips: list[Strip] = []
    for line in _lines(spans):
        if not line:
            strips.append(Strip(base.size * base.leading))
            continue
        filled = _filled(_pieces(line, faces), faces, room)
        strips += [_strip(pieces, base, faces, x, room) for pieces in filled]
    return strips


def natural(spans: list[Span], faces: Faces) -> float:
    """How wide it is where nothing makes its lines end."""
    return max((sum(piece.width for piece in _pieces(line, faces)) for line in _lines(spans)), default=0.0)


def _lines(spans: list[Span]) -> list[list[Span]]:
    """Split at forced ends, spaces folded; no line at all for nothing but spaces."""
    lines: list[list[Span]] = [[]]
    for text, style in spans:
        if text is None:
            lines.append([])
            continue
        folded = _SPACES.sub(" ", clean(_SPACES.sub(" ", text)))
        if not lines[-1] or str(lines[-1][-1].text).endswith(" "):
            folded = folded.lstrip(" ")
        if folded:
            lines[-1].append(Span(folded.upper() if style.upper else folded, style))
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _pieces(line: list[Span], faces: Faces) -> list[Piece]:
    whole = "".join(str(span.text) for span in line)
    parts = [whole] if line[0].style.nowrap else thai.pieces(whole)
    found, at, used = [], 0, 0
    for part in parts:
        spans, left = [], len(part)
        while left:
            text = str(line[at].text)
            take = text[used : used + left]
            spans.append(Span(take, line[at].style))
            left, used = left - len(take), used + len(take)
            if used == len(text):
                at, used = at + 1, 0
        found.append(_piece(tuple(spans), faces))
    return found


def _piece(spans: tuple[Span, ...], faces: Faces) -> Piece:
    widths = [faces.width(str(text), style) for text, style in spans]
    last, style = str(spans[-1].text), spans[-1].style
    bare = last.rstrip(" ")
    short = sum(widths[:-1]) + (widths[-1] if bare == last else faces.width(bare, style))
    return Piece(spans, sum(widths), short, sum(len(str(text)) for text, _style in spans))


def _filled(pieces: list[Piece], faces: Faces, room: float) -> Iterator[list[Piece]]:
    line: list[Piece] = []
    full = 0.0
    for piece in (part for whole in pieces for part in _fitting(whole, faces, room)):
        if line and full + piece.bare > room + 0.01:
            line, rest = _at_space(line)
            yield line
            line, full = rest, sum(each.width for each in rest)
        line.append(piece)
        full += piece.width
    if line:
        yield line


def _at_space(line: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Up to the last space, where that leaves the line well filled; and what moves to the next."""
    if line[-1].ends_with_space:
        return line, []
    letters = sum(piece.letters for piece in line)
    for at in range(len(line) - 1, 0, -1):
        if line[at - 1].ends_with_space:
            head = line[:at]
            return (head, line[at:]) if sum(p.letters for p in head) >= letters * SPACEFUL else (line, [])
    return line, []


def _fitting(piece: Piece, faces: Faces, room: float) -> Iterator[Piece]:
    """A piece that is wider than a whole line is cut between clusters."""
    if piece.bare <= room:
        yield piece
        return
    part: list[Span] = []
    full = 0.0
    for text, style in piece.spans:
        for cluster in thai.clusters(str(text)):
            width = faces.width(cluster, style)
            if part and full + width > room:
                yield _piece(tuple(part), faces)
                part, full = [], 0.0
            if part and part[-1].style is style:
                part[-1] = Span(f"{part[-1].text}{cluster}", style)
            else:
                part.append(Span(cluster, style))
            full += width
    if part:
        yield _piece(tuple(part), faces)


def _strip(line: list[Piece], base: Style, faces: Faces, x: float, room: float) -> Strip:
    spans: list[Span] = []
    for span in (each for piece in line for each in piece.spans):
        if spans and spans[-1].style == span.style:
            spans[-1] = Span(f"{spans[-1].text}{span.text}", span.style)
        else:
            spans.append(span)
    spans[-1] = Span(str(spans[-1].text).rstrip(" "), spans[-1].style)
    height = max(style.size * style.leading for _text, style in spans)
    largest = max(style.size for _text, style in spans)
    widths = [faces.width(str(text), style) for text, style in spans]
    left = x + {"left": 0.0, "center": 0.5, "right": 1.0}[base.align] * max(room - sum(widths), 0)
    marks: list[Mark] = []
    for (text, style), width in zip(spans, widths, strict=True):
        if text:
            y = height * BASELINE if style.size == largest else height * BASELINE * 0.99
            marks.append(
                Words(left, y, str(text), style.size, style.bold, style.mono, style.color, width, style.origin)
            )
        left += width
    return Strip(height, marks)
