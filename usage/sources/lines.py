"""Physical lines of a byte stream, one at a time or many in a block."""

from __future__ import annotations

import zlib
from typing import Protocol

LINE_LIMIT = 1 << 20
BLOCK = 8 << 20
MOST_LINES = 50_000  # of a block: what becomes of a line costs as much for a short one as for a long one
PIECE = 1 << 16  # what may be lost where an archive is cut off


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Lines:
    """Lines end with LF (or CRLF) only: names may hold every other kind of break. ``number`` counts from 1.

    ``block`` gives whole lines; ``next`` gives one, without its end, cut at ``LINE_LIMIT`` (such
    a line is longer than any row). Both may be mixed; what is not wanted yet is given back.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._held = b""
        self._at = 0
        self._ended = False
        self._trouble: Exception | None = None
        self._last = b"\n"
        self.number = 0

    @property
    def is_cut(self) -> bool:
        """Whether what was read so far ends within a line; asked at the end, sacct's own output never does."""
        return self._last != b"\n"

    def next(self) -> bytes | None:
        """The next line that is not empty."""
        while (line := self._line()) is not None:
            if line.strip():
                return line
        return None

    def _line(self) -> bytes | None:
        while (end := self._held.find(b"\n", self._at)) < 0:
            if not self._more():
                if self._at == len(self._held):
                    self._raise_trouble()
                    return None
                end = len(self._held)
                break
        line = self._held[self._at : min(end, self._at + LINE_LIMIT)]
        self._at = min(end + 1, len(self._held))
        self.number += 1
        return line.removesuffix(b"\r")

    def block(self) -> bytes:
        """About ``BLOCK`` bytes of whole lines, ``MOST_LINES`` at the most; empty at the end. Counting them is the
        caller's."""
        while len(self._held) - self._at < BLOCK and self._more():
            pass
        end = self._held.rfind(b"\n", self._at, self._at + BLOCK) + 1
        while not end and not (end := self._held.find(b"\n", self._at) + 1) and self._more():
            pass  # one line longer than a block
        if not end or (self._ended and len(self._held) - self._at <= BLOCK):
            end = len(self._held)
        found = self._held[self._at : end]
        if found.count(b"\n") > MOST_LINES:
            found = found[: len(found) - len(found.split(b"\n", MOST_LINES)[-1])]
        self._at += len(found)
        if not found:
            self._raise_trouble()
        return found

    def give_back(self, text: bytes, number: int) -> None:
        """Put ``text`` in front of what is to come; ``number`` is that of the line before it."""
        self._held, self._at = text + self._held[self._at :], 0
        self.number = number

    def _more(self) -> bool:
        """Read on. What came before a stream broke is handed out first; a line without an end is not kept whole."""
        if self._ended:
            return False
        self._held, self._at = self._held[self._at :], 0
        if len(self._held) > 2 * LINE_LIMIT and b"\n" not in self._held:
            self._held = self._held[: 2 * LINE_LIMIT]
        pieces, size = [self._held], 0
        while size < BLOCK and not self._ended:
            try:
                piece = self._stream.read(PIECE)
            except (OSError, EOFError, zlib.error) as error:
                self._trouble, piece = error, b""
            self._ended = not piece
            self._last = piece[-1:] or self._last
            pieces.append(piece)
            size += len(piece)
        self._held = b"".join(pieces)
        return bool(size)

    def _raise_trouble(self) -> None:
        if self._trouble:
            raise self._trouble
