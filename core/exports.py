"""Tables that leave the site: what an export is, and CSV that streams, opens in a spreadsheet and carries no formula.

Spreadsheet files (XLSX) are written by ``core.spreadsheets``.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import BadInput
from core.money import in_places
from core.periods import Window, days_window
from core.registry import load

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

# The last four are what an East Asian keyboard writes for the first four.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
FORMATS = ("csv", "xlsx")
CHUNK = 2000  # rows that one round of queries reads
LINES_AT_ONCE = 200  # lines that leave together
Row = Sequence[object]
T = TypeVar("T")


class Kind(StrEnum):
    """What a column holds; it decides how a cell is written."""

    TEXT = "text"
    INT = "int"
    BOOL = "bool"
    MONEY = "money"
    HOURS = "hours"
    RATE = "rate"
    NUMBER = "number"  # a decimal with all its places
    DAY = "day"
    MOMENT = "moment"  # in the site's zone
    UTC = "utc"  # 2026-10-31T17:00:00Z
    STAMP = "stamp"  # the same with microseconds
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Column:
    """``name`` is the head of a CSV column and never changes; ``label`` is for people."""

    name: str
    label: str | Promise
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class ExportFilter:
    """Days are the site's, both included; None and empty text do not filter."""

    start: date | None = None
    end: date | None = None
    user: str = ""
    tier: str = ""
    status: str = ""
    account: str = ""
    cluster: str = ""
    unbilled: bool = False

    @property
    def window(self) -> Window:
        return days_window(self.start, self.end)

    def span(self, name: str) -> dict[str, datetime]:
        """Lookups that keep a moment column inside the days."""
        found = {f"{name}__gte": self.window.start, f"{name}__lt": self.window.end}
        return {lookup: moment for lookup, moment in found.items() if moment}

    def day_span(self, name: str) -> dict[str, date]:
        """Lookups that keep a day column inside the days."""
        found = {f"{name}__gte": self.start, f"{name}__lte": self.end}
        return {lookup: day for lookup, day in found.items() if day}

    def given(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: value for name in names if (value := getattr(self, name))}


OPTIONS = ("user", "tier", "status", "account", "cluster", "unbilled")
_UNKNOWN = {
    "user": gettext_lazy("There is no user %(name)s."),
    "tier": gettext_lazy("There is no tier %(name)s."),
    "account": gettext_lazy("There is no account %(name)s."),
    "cluster": gettext_lazy("There is no cluster %(name)s."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One table that may be taken away. ``rows`` yields a value a column, reading in bounded chunks.

    ``period`` says which day of a row the days mean. ``filters`` are the options of ``ExportFilter`` that
    ``rows`` heeds; the others are refused, never passed over. ``known`` tells of a filter's value whether there is such
    a one: a name that was mistyped is not an empty table. Whoever holds every one of ``permissions`` may have it.
    """

    name: str
    title: str | Promise
    period: str | Promise
    columns: tuple[Column, ...]
    rows: Callable[[ExportFilter], Iterable[Row]]
    permissions: tuple[str, ...]
    filters: tuple[str, ...] = ()
    statuses: Mapping[str, str | Promise] = field(default_factory=dict)
    known: Mapping[str, Callable[[str], bool]] = field(default_factory=dict)
    byte_mark: bool = True

    def check(self, flt: ExportFilter) -> None:
        """Raise ``BadInput`` for a filter that this export cannot heed."""
        if flt.start and flt.end and flt.end < flt.start:
            raise BadInput(_("The window ends before it begins."), field="end")
        for name in flt.given(OPTIONS):
            if name not in self.filters:
                words = _("The export %(export)s cannot be filtered by %(name)s.")
                raise BadInput(words % {"export": self.name, "name": name}, field=name)
            value = getattr(flt, name)
            if name in self.known and not self.known[name](value):
                raise BadInput(_UNKNOWN[name] % {"name": value}, field=name)
        if flt.status and flt.status not in self.statuses:
            words = _("%(status)s is no status of this export; it has %(known)s.")
            raise BadInput(words % {"status": flt.status, "known": ", ".join(self.statuses)}, field="status")

    def file_name(self, flt: ExportFilter, file_format: str) -> str:
        days = "".join(f"-{day}" for day in (flt.start, flt.end) if day)
        return f"{self.name}{days}.{file_format}"


def find(name: str) -> Export:
    """The export that ``EXPORTS`` names. Raises ``BadInput``, or ``Misconfigured`` when it cannot be loaded."""
    if name not in settings.EXPORTS:
        words = _("There is no export %(name)s; there are %(known)s.")
        raise BadInput(words % {"name": name, "known": ", ".join(settings.EXPORTS)}, field="name")
    export: Export = load("EXPORTS", name)
    return export


def chunks(rows: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    source = iter(rows)
    while chunk := list(islice(source, size)):
        yield chunk


def safe_cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula gets a leading quote mark; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    if isinstance(value, Decimal):
        return f"{value:f}"  # never 0E-10
    return value


def cell_text(kind: Kind, value: object) -> object:
    """What a CSV says of a value: ISO days and moments, plain numbers, nothing for None."""
    if isinstance(value, datetime):
        return _moment_text(kind, value)
    if isinstance(value, bool):
        return str(value).lower()
    if kind == Kind.JSON and value is not None:
        return safe_cell(json_text(value))
    return safe_cell(value)


def json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _moment_text(kind: Kind, value: datetime) -> str:
    if kind == Kind.UTC:
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if kind == Kind.STAMP:
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return timezone.localtime(value, timezone.get_default_timezone()).isoformat(timespec="seconds")


class _Echo:
    def write(self, value: str) -> str:
        return value


def csv_lines(
    header: Sequence[object], rows: Iterable[Row], kinds: Sequence[Kind] = (), *, byte_mark: bool = True
) -> Iterator[str]:
    """The head at once, then the lines; ``rows`` is closed at the end, also when the reader goes away."""
    writer = csv.writer(_Echo())
    mark = "\ufeff" if byte_mark else ""  # Excel reads UTF-8 only with a mark in front
    try:
        yield mark + writer.writerow([str(cell) for cell in header])
        for lines in chunks(rows, LINES_AT_ONCE):
            yield "".join(writer.writerow(_cells(row, kinds)) for row in lines)
    finally:
        close(rows)


def _cells(row: Row, kinds: Sequence[Kind]) -> list[object]:
    if not kinds:
        return [safe_cell(cell) for cell in row]
    return [cell_text(kind, cell) for kind, cell in zip(kinds, row, strict=True)]


def close(rows: Iterable[Row]) -> None:
    """Let a generator that is given up do what it does at its end."""
    if done := getattr(rows, "close", None):
        done()


def with_places(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[Row]:
    """Money with the places of its row's currency, where a column tells it."""
    names = [column.name for column in columns]
    money = [place for place, column in enumerate(columns) if column.kind == Kind.MONEY]
    at = names.index("currency") if "currency" in names and money else None
    try:
        for row in rows:
            yield row if at is None or not row[at] else _in_places(row, money, str(row[at]))
    finally:
        close(rows)


def _in_places(row: Row, money: Sequence[int], currency: str) -> Row:
    cells = list(row)
    for place in money:
        if isinstance(value := cells[place], Decimal):
            cells[place] = in_places(value, currency)
    return cells


def table_lines(columns: Sequence[Column], rows: Iterable[Row], *, byte_mark: bool = True) -> Iterator[str]:
    names, kinds = [column.name for column in columns], [column.kind for column in columns]
    return csv_lines(names, with_places(columns, rows), kinds, byte_mark=byte_mark)


def csv_response(name: str, lines: Iterator[str]) -> StreamingHttpResponse:
    """A download named ``name``; ``lines`` is read while it is sent, so any size fits in memory."""
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def table_response(
    name: str, title: str | Promise, columns: Sequence[Column], rows: Iterable[Row], *, byte_mark: bool = True
) -> HttpResponseBase:
    """The table as the kind of file that ``name`` ends in."""
    if name.endswith(".xlsx"):
        from core.spreadsheets import xlsx_response

        return xlsx_response(name, str(title), columns, rows)
    return csv_response(name, table_lines(columns, rows, byte_mark=byte_mark))


def table_bytes(
    name: str, title: str | Promise, columns: Sequence[Column], rows: Iterable[Row], *, byte_mark: bool = True
) -> Iterator[bytes]:
    """The content of ``table_response``, without a request that waits for it."""
    if not name.endswith(".xlsx"):
        yield from (line.encode() for line in table_lines(columns, rows, byte_mark=byte_mark))
        return
    from core.spreadsheets import write_xlsx

    with tempfile.TemporaryFile() as file:
        write_xlsx(file, str(title), columns, rows)
        file.seek(0)
        while part := file.read(1 << 18):
            yield part
