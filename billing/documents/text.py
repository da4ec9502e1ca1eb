"""Text in a document's typefaces: which face sets which letter, how wide it is, where its lines end."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from billing.documents import thai
from billing.documents.faces import Builtin, TrueType

Face = Builtin | TrueType
SPACEFUL = 0.6  # a line that is at least this full rather ends at a space than inside a word
ELLIPSIS = "…"


def clean(text: str) -> str:
    """One line of it: controls and line breaks become spaces, marks of direction and joining go."""
    if text.isprintable() and text.isascii():
        return text
    kept = (_plain(character) for character in unicodedata.normalize("NFC", text))
    return "".join(kept)


def _plain(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in ("Cc", "Zl", "Zp"):
        return " "
    return "" if kind in ("Cf", "Cs") else character


class Typeface:
    """One weight: faces in order of preference. The first that has a letter sets it."""

    def __init__(self, *faces: Face) -> None:
        self.faces = faces
        self._last_resort = next((face for face in faces if isinstance(face, TrueType)), faces[-1])

    def runs(self, text: str) -> Iterator[tuple[Face, str]]:
        """The text in stretches of one face each. Spaces, signs and marks stay with what stands before them."""
        first = self.faces[0]
        if text.isascii() and all(first.has(character) for character in set(text)):
            if text:
                yield first, text
            return
        face: Face | None = None
        start = 0
        for at, character in enumerate(text):
            stays = face is not None and unicodedata.category(character)[0] in "MZPS" and face.has(character)
            chosen = face if stays else self._face_of(character)
            if chosen is not face:
                if face is not None:
                    yield face, text[start:at]
                face, start = chosen, at
        if face is not None:
            yield face, text[start:]

    def _face_of(self, character: str) -> Face:
        return next((face for face in self.faces if face.has(character)), self._last_resort)

    def sets(self, text: str) -> bool:
        """Whether each of its letters is in one of the faces."""
        return all(any(face.has(character) for face in self.faces) for character in set(text))

    def width(self, text: str, size: float) -> float:
        return sum(face.width(run) for face, run in self.runs(text)) * size / 1000

    def wrap(self, text: str, size: float, room: float) -> list[str]:
        """Lines no wider than ``room``; line breaks in the text are kept. No text gives no line."""
        lines: list[str] = []
        for paragraph in text.splitlines():
            if whole := clean(paragraph).strip():
                lines += self._fill(whole, size, room)
        return lines

    def _fill(self, text: str, size: float, room: float) -> Iterator[str]:
        line, full = "", 0.0
        for piece in self._fitting(thai.pieces(text), size, room):
            width = self.width(piece, size)
            if line and full + self.width(piece.rstrip(), size) > room:
                line, rest = _at_space(line)
                yield line.strip()
                line = rest
                full = self.width(rest, size)
            line += piece
            full += width
        if line.strip():
            yield line.strip()

    def _fitting(self, pieces: list[str], size: float, room: float) -> Iterator[str]:
        """The pieces; one that is wider than a whole line is cut between clusters."""
        for piece in pieces:
            if self.width(piece, size) <= room:
                yield piece
                continue
            part = ""
            for cluster in thai.clusters(piece):
                if part and self.width(part + cluster, size) > room:
                    yield part
                    part = ""
                part += cluster
            yield part

    def fit(self, text: str, size: float, room: float, least: float) -> tuple[str, float]:
        """One line in ``room``: smaller down to ``least``, then with its middle left out."""
        text = clean(text)
        width = self.width(text, size)
        if width <= room:
            return text, size
        if width * least / size <= room:
            return text, size * room / width
        parts = thai.clusters(text)
        while len(parts) > 1 and self.width("".join(parts) + ELLIPSIS, least) > room:
            parts.pop(len(parts) // 2)
        middle = (len(parts) + 1) // 2
        return "".join([*parts[:middle], ELLIPSIS, *parts[middle:]]), least


def _at_space(line: str) -> tuple[str, str]:
    """The line up to its last space where that leaves it well filled, and what moves to the next line."""
    head, space, tail = line.rstrip().rpartition(" ")
    if space and line.rstrip() == line and len(head) >= len(line) * SPACEFUL:
        return head, tail
    return line, ""
