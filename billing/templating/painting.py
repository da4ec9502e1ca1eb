"""Pages of marks become a PDF, or pictures (SVG) for the preview. The same marks give the same bytes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from billing.documents import qr
from billing.documents.sheet import HEIGHT, WIDTH, Sheets
from billing.templating.inline import Faces
from billing.templating.strips import Box, Code, Mark, Picture, Words

ACROSS = "#f3dcd9"
INK = "#1c2430"
LETTERS = "Helvetica, Arial, 'Liberation Sans', Loma, 'Noto Sans Thai', Sarabun, sans-serif"


def pdf(
    pages: list[list[Mark]], faces: Faces, *, language: str, title: str, author: str, subject: str, made: datetime,
    across: str = "",
) -> bytes:  # fmt: skip
    """``across`` is written over each page by us, whatever the template says."""
    sheets = Sheets(
        regular=faces.regular, bold=faces.bold, language=language, title=title, author=author, subject=subject,
        made=made,
    )  # fmt: skip
    for number, marks in enumerate(pages):
        if number:
            sheets.next_page()
        for box in (each for each in marks if isinstance(each, Box)):
            sheets.box(box.x, HEIGHT - box.y - box.height, box.width, box.height, box.colour, radius=_round(box))
        if across:
            sheets.across(across, ACROSS)
        for mark in marks:
            _draw(sheets, faces, mark)
    return sheets.finish()


def _draw(sheets: Sheets, faces: Faces, mark: Mark) -> None:
    if isinstance(mark, Words):
        face = faces.mono if mark.mono else None
        sheets.text(mark.x, HEIGHT - mark.y, mark.text, mark.size, bold=mark.bold, colour=mark.colour, face=face)
    elif isinstance(mark, Code):
        sheets.code(mark.x, HEIGHT - mark.y - mark.size, mark.size, qr.encode(mark.text))
    elif isinstance(mark, Picture):
        sheets.picture(mark.x, HEIGHT - mark.y - mark.height, mark.width, mark.height, mark.image.content)


def _round(box: Box) -> float:
    return min(box.radius, box.width / 2, box.height / 2)


def svg(marks: list[Mark], *, across: str = "") -> str:
    """One page as a picture. Words are set in the reader's own letters, as wide as in the PDF."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{LETTERS}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    parts += [_svg(mark) for mark in marks if isinstance(mark, Box)]
    if across:
        middle = f"translate({WIDTH / 2:.1f} {HEIGHT / 2:.1f}) rotate(-52)"
        parts.append(
            f'<text transform="{middle}" text-anchor="middle" font-size="110" font-weight="bold" fill="{ACROSS}">'
            f"{escape(across)}</text>"
        )
    parts += [_svg(mark) for mark in marks if not isinstance(mark, Box)]
    return "".join([*parts, "</svg>"])


def _svg(mark: Any) -> str:
    if isinstance(mark, Box):
        return (
            f'<rect x="{mark.x:.2f}" y="{mark.y:.2f}" width="{mark.width:.2f}" height="{mark.height:.2f}"'
            f' rx="{_round(mark):.2f}" fill="{mark.colour}"/>'
        )
    if isinstance(mark, Words):
        bold = ' font-weight="bold"' if mark.bold else ""
        mono = ' font-family="monospace"' if mark.mono else ""
        wide = f' textLength="{mark.width:.2f}" lengthAdjust="spacingAndGlyphs"' if len(mark.text) > 1 else ""
        return (
            f'<text x="{mark.x:.2f}" y="{mark.y:.2f}" font-size="{mark.size:.2f}" fill={quoteattr(mark.colour)}'
            f' xml:space="preserve"{bold}{mono}{wide}>{escape(mark.text)}</text>'
        )
    if isinstance(mark, Code):
        code = qr.encode(mark.text)
        unit = mark.size / code.side
        path = "".join(
            f"M{mark.x + column * unit:.2f} {mark.y + row * unit:.2f}"
            f"h{length * unit:.2f}v{unit:.2f}h-{length * unit:.2f}z"
            for row, column, length in code.strips
        )
        return f'<path d="{path}" fill="{INK}"/>'
    from base64 import b64encode

    kind = "png" if mark.image.content[:1] == b"\x89" else "jpeg"
    data = b64encode(mark.image.content).decode()
    return (
        f'<image x="{mark.x:.2f}" y="{mark.y:.2f}" width="{mark.width:.2f}" height="{mark.height:.2f}"'
        f' href="data:image/{kind};base64,{data}"/>'
    )
