"""Events from a file: NDJSON or CSV, packed with gzip or not, read a line at a time."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from typing import IO

import msgspec
from django.utils.translation import gettext as _

from core.errors import BadInput
from usage.events.schema import Event, Facts, Malformed, Refused, read_one
from usage.sources.lines import LINE_LIMIT, Lines

KINDS = ("auto", "ndjson", "csv")
NUMBERS = ("request_tokens", "response_tokens", "cached_tokens", "reasoning_tokens", "latency_ms", "status_code")
COLUMNS = {*Event.__struct_fields__, *Facts.__struct_fields__}
FACT = "metadata."  # metadata.region is the fact "region"
_MAGIC = b"\x1f\x8b"


def read_events(stream: IO[bytes], *, name: str, kind: str = "auto") -> Iterator[tuple[int, Event | Refused]]:
    """Number of the line and what stands there. Raises ``BadInput`` for a file that cannot be read on."""
    buffered = io.BufferedReader(stream) if not isinstance(stream, io.BufferedReader) else stream  # type: ignore[type-var]
    packed = buffered.peek(2)[:2] == _MAGIC
    text = io.BufferedReader(gzip.GzipFile(fileobj=buffered)) if packed else buffered
    try:
        if kind == "auto":
            kind = "ndjson" if text.peek(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" else "csv"
        yield from (_ndjson(text) if kind == "ndjson" else _csv(text, name))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        words = _("%(file)s: the compressed file is cut off or damaged (%(why)s).")
        raise BadInput(words % {"file": name, "why": error}) from error


def _ndjson(stream: IO[bytes]) -> Iterator[tuple[int, Event | Refused]]:
    lines = Lines(stream)
    while (line := lines.next()) is not None:
        try:
            yield lines.number, read_one(line.removeprefix(b"\xef\xbb\xbf"), cloud=False)
        except (Malformed, RecursionError) as error:
            yield lines.number, Refused("malformed", str(error))


def _csv(stream: IO[bytes], name: str) -> Iterator[tuple[int, Event | Refused]]:
    """A header and rows. Columns are named as the fields of an event; ``metadata`` is JSON, ``metadata.x`` one fact."""
    rows = csv.reader(_lines(stream, name))
    try:
        header = [cell.strip() for cell in next(rows, [])]
        if not header:
            return
        _check_header(header, name)
        for cells in rows:
            if any(cells):
                yield rows.line_num, _event(header, cells)
    except csv.Error as error:
        raise BadInput(
            _("%(file)s, line %(line)s: %(why)s") % {"file": name, "line": rows.line_num, "why": error}
        ) from error


def _lines(stream: IO[bytes], name: str) -> Iterator[str]:
    """With their ends. A file without any would be one line, and all of it in memory."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    for number in count(1):
        line = text.readline(LINE_LIMIT + 1)
        if len(line) > LINE_LIMIT:
            words = _("%(file)s, line %(line)s is longer than a row can be: is this a file of events?")
            raise BadInput(words % {"file": name, "line": number})
        if not line:
            return
        yield line


def _check_header(header: list[str], name: str) -> None:
    column, number = Counter(header).most_common(1)[0]
    if number > 1:
        why = _("The column %(name)s stands in the header twice; leave one of them out.") % {
            "name": column[:40] or '""'
        }
        raise BadInput(_("%(file)s, line %(line)s: %(why)s") % {"file": name, "line": 1, "why": why})
    unknown = [column[:40] for column in header if column not in COLUMNS and not column.startswith(FACT)]
    missing = [column for column in ("metric_name", "idempotency_key", "timestamp") if column not in header]
    if unknown or missing:
        words = _("%(file)s: the first line is no header of events. Unknown: %(unknown)s; missing: %(missing)s.")
        named = {"unknown": ", ".join(unknown) or "–", "missing": ", ".join(missing) or "–"}
        raise BadInput(words % {"file": name, **named})


def _event(header: list[str], cells: list[str]) -> Event | Refused:
    if len(cells) != len(header):
        return Refused("field_count", f"{len(cells)} cells, the header has {len(header)}")
    row = dict(zip(header, cells, strict=True))
    try:
        return read_one(msgspec.json.encode(_fields(row)), cloud=False)
    except (Malformed, UnicodeEncodeError, msgspec.DecodeError) as error:
        return Refused("malformed", str(error))


def _fields(row: Mapping[str, str]) -> dict[str, object]:
    """Empty cells are left out; whole numbers become numbers, facts become metadata."""
    fields: dict[str, object] = {}
    facts: dict[str, object] = {}
    for name, cell in row.items():
        if cell == "":
            continue
        if name.startswith(FACT):
            facts[name.removeprefix(FACT)] = cell
        elif name == "metadata":
            fields[name] = msgspec.Raw(cell.encode())
        else:
            fields[name] = int(cell) if name in NUMBERS and cell.isascii() and cell.isdigit() else cell
    if facts and "metadata" not in fields:
        fields["metadata"] = facts
    return fields
