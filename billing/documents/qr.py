"""A QR code as dark strips, row by row. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Code:
    """``side`` modules wide and high; ``strips`` are (row, first column, length) of what is dark."""

    side: int
    strips: tuple[tuple[int, int, int], ...]


def encode(text: str) -> Code:
    """Error correction M: 15 % of it may be soiled."""
    from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

    code = QRCode(None, QRErrorCorrectLevel.M)
    code.addData(text)
    code.make()
    return Code(code.getModuleCount(), tuple(_strips(code.modules)))


def _strips(modules: list[list[bool]]) -> Iterator[tuple[int, int, int]]:
    for row, cells in enumerate(modules):
        column = 0
        for dark, group in groupby(cells, key=bool):
            length = len(list(group))
            if dark:
                yield row, column, length
            column += length
