"""Accounting text from a file or standard input: sacct -P output, or a CSV export of it."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from django.utils.translation import gettext_noop

from core.errors import BadInput, Misconfigured
from core.words.said import say
from core.words.said import told as _
from usage.opening import opened
from usage.sources.base import UsageSource
from usage.sources.text import decoded, known_columns, missing_columns, shown, split

if TYPE_CHECKING:
    from usage.batches import Batch
    from usage.sources.lines import Lines

GZIP_MAGIC = b"\x1f\x8b"
DELIMITERS = ("|", "\x1f", "\t", ";", ",")
WIDTH = re.compile(r"(?<=\w)%-?\d{1,4}\b")
QUOTED = (",", ";")  # sacct itself never quotes; spreadsheets and csv writers do, with these


class CsvSource(UsageSource):
    key = "csv"
    live = False

    def check(self) -> None:
        if not self._path:
            raise Misconfigured(_("No file to read: give --file or set %(name)s.") % {"name": "FALLBACK_CSV"})

    @property
    def _path(self) -> str:
        return self.request.file or settings.FALLBACK_CSV

    def batches(self) -> Iterator[Batch]:
        from usage.sources.lines import Lines

        self.check()
        self.file_name = "standard input" if self._path == "-" else Path(self._path).name
        with opened(self._path) as raw:
            size = os.fstat(raw.fileno()).st_size if self._path != "-" else 0
            hashing = _Hashing(raw)
            buffered: io.BufferedReader = io.BufferedReader(hashing, 1 << 16)
            packed = buffered.peek(2)[:2] == GZIP_MAGIC
            lines = Lines(gzip.GzipFile(fileobj=buffered) if packed else buffered)
            try:
                for batch in self._read(lines):
                    batch.where = self.file_name
                    batch.done = min(1, hashing.size / size) if size else None
                    yield batch
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise self._bad(
                    _("%(file)s: the compressed file is cut off or damaged (%(why)s)."), why=error
                ) from error
            while buffered.read(1 << 16):
                pass  # so that the digest covers the whole file
            self.file_sha256 = hashing.digest.hexdigest()

    def _read(self, lines: Lines) -> Iterator[Batch]:
        from usage.sources.blocks import TextReader

        first = lines.next()
        if first is None:
            raise self._bad(_("%(file)s is empty."))
        self._refuse_other_encodings(first)
        header = decoded(first).removeprefix("\ufeff")
        header = WIDTH.sub("", header)  # AllocTRES%30, as it was asked of sacct
        self.delimiter = self._delimiter(header)
        reader = TextReader(
            header, self.delimiter, quoted=self.delimiter in QUOTED, cluster=self.request.cluster,
            zone_of=self.request.zone_of,
        )  # fmt: skip
        self.columns = [shown(name.strip()) for name in reader.names]
        yield from reader.batches(lines)
        if not reader.seen:
            raise self._bad(_("%(file)s has a header and no rows. That is not the same as no usage."))
        if reader.neighbours.free_text:
            columns = ", ".join(reader.neighbours.free_text)
            words = gettext_noop(
                "The file has free text (%(columns)s): a line break in it can imitate a row. Export without it."
            )
            self.notes.append(say(words, columns=columns))
        if lines.is_cut:
            words = gettext_noop(
                "The last line does not end with a line break; if the file was cut off, its row is wrong."
            )
            self.notes.append(say(words))
        if reader.repeated:
            self.notes.append(say(gettext_noop("%(n)d repeated header lines were passed over."), n=reader.repeated))

    def _delimiter(self, header: str) -> str:
        """The delimiter that was given, or the one that makes a usable header. Raises ``BadInput``."""
        self._refuse_other_formats(header)
        given = {"tab": "\t", "\\t": "\t", "\\x1f": "\x1f"}.get(self.request.delimiter, self.request.delimiter)
        tried = (given,) if given else DELIMITERS
        best = max(tried, key=lambda each: known_columns(split(header, each, each in QUOTED)))
        names = split(header, best, best in QUOTED)
        if missing := missing_columns(names):
            if len(header.split("  ")) > 2 and len(names) == 1:  # noqa: PLR2004 - columns parted by runs of blanks
                raise self._bad(_("%(file)s is cut to fixed columns: write it with sacct -P."))
            found = ", ".join(repr(shown(name)[:40]) for name in names[:30])
            words = _(
                "%(file)s: the first line is not a usable header. With the delimiter %(delimiter)r it has "
                "%(n)d columns (%(found)s); missing: %(missing)s. Is the delimiter right (--delimiter)?"
            )
            raise self._bad(words, delimiter=best, n=len(names), found=found, missing=", ".join(missing))
        return best

    def _refuse_other_encodings(self, first: bytes) -> None:
        if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise self._bad(_('%(file)s is UTF-16: save it as UTF-8 ("CSV UTF-8" in a spreadsheet).'))
        if b"\r" in first:
            raise self._bad(_("%(file)s ends its lines with CR only: save it with LF or CRLF."))

    def _refuse_other_formats(self, header: str) -> None:
        start = header.lstrip()[:20].lower()
        if start.startswith("<"):
            raise self._bad(_("%(file)s is an HTML page, not accounting text: was a login or error page saved?"))
        if start.startswith(("{", "[")):
            raise self._bad(_("%(file)s is JSON, not accounting text: write it with sacct -P instead of --json."))

    def _bad(self, words: str, **values: object) -> BadInput:
        return BadInput(words % {"file": self.file_name, **values})


class _Hashing(io.RawIOBase):
    """Passes bytes through and remembers their SHA-256, so that standard input is read once."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.size = 0
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._raw.read(len(buffer))
        self.size += len(data)
        self.digest.update(data)
        buffer[: len(data)] = data
        return len(data)
