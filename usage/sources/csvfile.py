"""Accounting text from a file or standard input: sacct -P output, or a CSV export of it."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from django.conf import settings
from django.utils.translation import gettext as _

from core.errors import BadInput, Misconfigured, UsageError
from usage.records import BadRow, Item
from usage.sources.base import UsageSource
from usage.sources.text import Neighbours, RowReader, known_columns, missing_columns

GZIP_MAGIC = b"\x1f\x8b"
DELIMITERS = ("|", "\x1f", "\t", ";", ",")
QUOTED = (",", ";")  # sacct itself never quotes; spreadsheets and csv writers do, with these
LINE_LIMIT = 1 << 20
QUOTED_LINES = 50  # a quoted field may span lines, an unclosed quote must not swallow the file


class CsvSource(UsageSource):
    key = "csv"
    live = False

    def check(self) -> None:
        if not self._path:
            raise Misconfigured("No file to read: give --file or set FALLBACK_CSV.")

    @property
    def _path(self) -> str:
        return self.request.file or settings.FALLBACK_CSV

    def rows(self) -> Iterator[Item]:
        self.check()
        self.file_name = "standard input" if self._path == "-" else Path(self._path).name
        with _opened(self._path) as raw:
            hashing = _Hashing(raw)
            buffered: io.BufferedReader = io.BufferedReader(hashing, 1 << 16)
            try:
                yield from self._read(buffered)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise BadInput(f"{self.file_name}: the compressed file is cut off or damaged ({error}).") from error
            while buffered.read(1 << 16):
                pass  # so that the digest covers the whole file
            self.file_sha256 = hashing.digest.hexdigest()

    def _read(self, buffered: io.BufferedReader) -> Iterator[Item]:
        packed = buffered.peek(2)[:2] == GZIP_MAGIC
        lines = _Lines(gzip.GzipFile(fileobj=buffered) if packed else buffered)
        header = lines.next_text()
        if header is None:
            raise BadInput(f"{self.file_name} is empty.")
        header = header.removeprefix("\ufeff")
        delimiter = self._delimiter(header)
        quoted = delimiter in QUOTED
        names = _split(header, delimiter, quoted)
        reader = RowReader(names, cluster=self.request.cluster, zone_of=self.request.zone_of)
        neighbours = Neighbours([] if quoted else names)
        seen = repeated = 0
        for line_no, text, problem in _records(lines, quoted):
            if text == header:
                repeated += 1  # files were joined
                continue
            seen += 1
            cells = _split(text, delimiter, quoted)
            item = problem or reader.read(cells, _shown(text), line_no)
            yield neighbours.judge(item, len(cells), _shown(text), line_no)
        if not seen:
            raise BadInput(f"{self.file_name} has a header and no rows. That is not the same as no usage.")
        if neighbours.free_text:
            columns = ", ".join(neighbours.free_text)
            words = _("The file has free text (%(columns)s): a line break in it can imitate a row. Export without it.")
            self.notes.append(words % {"columns": columns})
        if repeated:
            self.notes.append(f"{repeated} repeated header lines were passed over.")

    def _delimiter(self, header: str) -> str:
        """The delimiter that was given, or the one that makes a usable header. Raises ``BadInput``."""
        self._refuse_other_formats(header)
        given = {"tab": "\t", "\\t": "\t", "\\x1f": "\x1f"}.get(self.request.delimiter, self.request.delimiter)
        tried = (given,) if given else DELIMITERS
        best = max(tried, key=lambda each: known_columns(_split(header, each, each in QUOTED)))
        names = _split(header, best, best in QUOTED)
        if missing := missing_columns(names):
            found = ", ".join(repr(_shown(name)[:40]) for name in names[:30])
            raise BadInput(
                f"{self.file_name}: the first line is not a usable header. With the delimiter {best!r} it has "
                f"{len(names)} columns ({found}); missing: {', '.join(missing)}. Is the delimiter right (--delimiter)?"
            )
        return best

    def _refuse_other_formats(self, header: str) -> None:
        start = header.lstrip()[:20].lower()
        if start.startswith("<"):
            raise BadInput(f"{self.file_name} is an HTML page, not accounting text: was a login or error page saved?")
        if start.startswith(("{", "[")):
            raise BadInput(f"{self.file_name} is JSON, not accounting text: write it with sacct -P instead of --json.")


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        handle = Path(path).open("rb")  # noqa: SIM115 - closed below; only the opening may fail this way
    except OSError as error:
        raise UsageError(f"The file {path} cannot be read: {error.strerror or error}.") from error
    with handle:
        yield handle


class _Readable(Protocol):
    def readline(self, size: int = -1, /) -> bytes: ...


class _Hashing(io.RawIOBase):
    """Passes bytes through and remembers their SHA-256, so that standard input is read once."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._raw.read(len(buffer))
        self.digest.update(data)
        buffer[: len(data)] = data
        return len(data)


class _Lines:
    """Physical lines, bounded in length, numbered from 1, blank ones passed over. Only LF (or CRLF) ends a line:
    names may hold every other kind of break."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream
        self._back: list[tuple[int, bytes]] = []
        self.number = 0

    def next(self) -> bytes | None:
        if self._back:
            self.number, line = self._back.pop()
            return line
        line = self._stream.readline(LINE_LIMIT)
        self.number += 1
        if not line:
            return None
        if len(line) == LINE_LIMIT:
            while (rest := self._stream.readline(LINE_LIMIT)) and not rest.endswith(b"\n"):
                pass
            return line
        return line.removesuffix(b"\n").removesuffix(b"\r")

    def push_back(self, lines: list[tuple[int, bytes]]) -> None:
        self._back.extend(reversed(lines))

    def next_text(self) -> str | None:
        while (line := self.next()) is not None:
            if line.strip():
                return _text(line)
        return None


def _records(lines: _Lines, quoted: bool) -> Iterator[tuple[int, str, BadRow | None]]:
    """Logical rows as (line number, text, refusal): with quoting, one may span several lines."""
    while (line := lines.next()) is not None:
        if not line.strip():
            continue
        number = lines.number
        if len(line) == LINE_LIMIT:
            yield number, "", BadRow(number, _shown(_text(line[:1000])), "line_too_long", f"over {LINE_LIMIT} bytes")
        elif quoted and line.count(b'"') % 2:
            joined = _close_quote(lines, line)
            yield number, _text(joined or line), None if joined else BadRow(number, _shown(_text(line)), "open_quote")
        else:
            yield number, _text(line), None


def _close_quote(lines: _Lines, first: bytes) -> bytes | None:
    """The row up to the line that closes its quote; None (and the lines given back) when none does soon."""
    taken: list[tuple[int, bytes]] = []
    quotes = first.count(b'"')
    while len(taken) < QUOTED_LINES and (line := lines.next()) is not None:
        taken.append((lines.number, line))
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            return b"\n".join([first, *(line for _, line in taken)])
    lines.push_back(taken)
    return None


def _split(text: str, delimiter: str, quoted: bool) -> list[str]:
    if not quoted:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return []


def _text(line: bytes) -> str:
    """Bytes that are not UTF-8 survive as half surrogates: refused in an identity, replaced in free text."""
    return line.decode("utf-8", "surrogateescape")


def _shown(text: str) -> str:
    """The row for a person and for any database: broken bytes as ``\\xff``, NUL as ``\\x00``."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\0", "\\x00")
