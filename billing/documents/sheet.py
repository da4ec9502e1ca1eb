"""Sheets of A4: text, hairlines and a QR code on ReportLab's canvas, in our own typefaces. Lengths are points."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from billing.documents.faces import Builtin, Embedded, Glyph, TrueType
from billing.documents.qr import Code
from billing.documents.text import Typeface, clean

WIDTH, HEIGHT = 595.28, 841.89
LEFT, RIGHT, TOP, BOTTOM = 56.0, WIDTH - 56.0, HEIGHT - 52.0, 64.0
# The light colours of static/hpcbilling/tokens.css; paper is white.
INK, INK2, LINE, ACCENT, TINT = "#1c2430", "#556070", "#dfdcd3", "#0b5d66", "#e6f0f0"
GOOD, WARN, BAD = "#1f6b3a", "#8a5a00", "#a3271f"
GOOD_TINT, WARN_TINT, BAD_TINT = "#e8f2ea", "#f9f0dc", "#fbebe8"


class Sheets:
    """A document in the making. The same calls give the same bytes."""

    def __init__(self, *, regular: Typeface, bold: Typeface, language: str, title: str, author: str, subject: str,
                 made: datetime) -> None:  # fmt: skip
        from reportlab.pdfgen.canvas import Canvas

        self.regular, self.bold = regular, bold
        self.leading = 1.6 if language == "th" else 1.42
        self._buffer = BytesIO()
        self._canvas: Any = Canvas(
            self._buffer, pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1, lang=language, pdfVersion=(1, 7)
        )
        self._canvas.setTitle(clean(title))
        self._canvas.setAuthor(clean(author))
        self._canvas.setSubject(clean(subject))
        self._canvas.setCreator("hpcbilling")
        moment = made.astimezone(UTC).strftime("D:%Y%m%d%H%M%S+00'00'")
        self._canvas.setDateFormatter(lambda *_now: moment)
        self._canvas.setViewerPreference("DisplayDocTitle", "true")
        self._embedded: dict[TrueType, Embedded] = {}

    def next_page(self) -> None:
        self._canvas.showPage()

    def finish(self) -> bytes:
        for used in self._embedded.values():
            used.add_to(self._canvas._doc)
        self._canvas.save()
        return self._buffer.getvalue()

    # --- drawing -----------------------------------------------------------------
    def text(self, x: float, y: float, words: str, size: float, *, bold: bool = False, colour: str = INK,
             align: str = "left", face: Typeface | None = None) -> float:  # fmt: skip
        """Words with their baseline at ``y``; ``x`` is their left edge, right edge or middle. Gives their width."""
        face = face or (self.bold if bold else self.regular)
        width = face.width(words, size)
        left = x - {"left": 0.0, "right": width, "center": width / 2}[align]
        operators = [f"BT {_rgb(colour)} rg 1 0 0 1 {left:.2f} {y:.2f} Tm"]
        for each, run in face.runs(words):
            operators += self._builtin(each, run, size) if isinstance(each, Builtin) else self._shaped(each, run, size)
        self._canvas.addLiteral(" ".join([*operators, "ET"]))
        return width

    def fixed(self, x: float, y: float, words: str, size: float, *, colour: str = INK) -> None:
        """Letters of one width, for codes."""
        operators = self._builtin(Builtin("Courier"), words, size)
        self._canvas.addLiteral(" ".join([f"BT {_rgb(colour)} rg 1 0 0 1 {x:.2f} {y:.2f} Tm", *operators, "ET"]))

    def rule(
        self, y: float, *, left: float = LEFT, right: float = RIGHT, width: float = 0.5, colour: str = LINE
    ) -> None:
        self._canvas.addLiteral(f"{_rgb(colour)} RG {width} w {left:.2f} {y:.2f} m {right:.2f} {y:.2f} l S")

    def box(self, x: float, y: float, width: float, height: float, colour: str, *, radius: float = 0) -> None:
        self._canvas.setFillColor(colour)
        if radius:
            self._canvas.roundRect(x, y, width, height, radius, stroke=0, fill=1)
        else:
            self._canvas.rect(x, y, width, height, stroke=0, fill=1)

    def code(self, x: float, y: float, size: float, code: Code) -> None:
        """A QR code in a square of ``size``; the paper around it is its quiet zone."""
        module = size / code.side
        strips = (
            f"{x + column * module:.3f} {y + size - (row + 1) * module:.3f} {length * module:.3f} {module:.3f} re"
            for row, column, length in code.strips
        )
        self._canvas.addLiteral(" ".join([f"{_rgb(INK)} rg", *strips, "f"]))

    def picture(self, x: float, y: float, width: float, height: float, content: bytes) -> None:
        """A PNG or JPEG picture, embedded once however often it is drawn."""
        from reportlab.lib.utils import ImageReader

        self._canvas.drawImage(ImageReader(BytesIO(content)), x, y, width, height, mask="auto")

    def mark(self, x: float, y: float, size: float) -> None:
        """The ledger of the site's head, as on its pages."""
        unit = size / 32
        self.box(x + 2 * unit, y + 2 * unit, 28 * unit, 28 * unit, ACCENT, radius=6 * unit)
        lines = ((8, 17, 10), (8, 14, 15), (8, 24, 21.5), (8, 24, 25), (22, 24, 10), (22, 24, 15))
        moves = (f"{x + a * unit:.2f} {y + (32 - v) * unit:.2f} m {x + b * unit:.2f} {y + (32 - v) * unit:.2f} l"
                 for a, b, v in lines)  # fmt: skip
        self._canvas.addLiteral(" ".join(["1 1 1 RG", f"{1.6 * unit:.2f} w", *moves, "S"]))

    def across(self, words: str, colour: str) -> None:
        """Large words from corner to corner, under everything that follows."""
        size = min(150.0, 560 * 100 / max(self.bold.width(words, 100), 1))
        self._canvas.saveState()
        self._canvas.translate(WIDTH / 2, HEIGHT / 2)
        self._canvas.rotate(52)
        self.text(0, -size / 3, words, size, bold=True, colour=colour, align="center")
        self._canvas.restoreState()

    # --- text in one face --------------------------------------------------------
    def _builtin(self, face: Builtin, words: str, size: float) -> Iterator[str]:
        name = self._canvas._doc.getInternalFontName(face.name)
        yield f"{name} {size:.2f} Tf <{face.encode(words).hex()}> Tj"

    def _shaped(self, face: TrueType, words: str, size: float) -> Iterator[str]:
        """Glyphs in one array; what HarfBuzz moved sideways is a number in it, what it raised is a rise around it."""
        used = self._embedded.get(face)
        if used is None:
            used = self._embedded[face] = Embedded(face, f"T{len(self._embedded) + 1}")
        yield f"/{used.name} {size:.2f} Tf"
        row: list[str] = []
        for glyph in face.shape(words):
            if glyph.dy:
                yield f"[{' '.join(row)}] TJ {glyph.dy * size / 1000:.3f} Ts [{_placed(used, glyph)}] TJ 0 Ts"
                row = []
            else:
                row.append(_placed(used, glyph))
        if row:
            yield f"[{' '.join(row)}] TJ"


def _placed(used: Embedded, glyph: Glyph) -> str:
    code = f"<{used.code(glyph):04x}>"
    before, after = -glyph.dx, glyph.natural - glyph.advance + glyph.dx
    return f"{before or ''} {code} {after or ''}".strip()


def _rgb(colour: str) -> str:
    return _RGB.get(colour) or _RGB.setdefault(
        colour, " ".join(f"{int(colour[at : at + 2], 16) / 255:.3f}" for at in (1, 3, 5))
    )


_RGB: dict[str, str] = {}
