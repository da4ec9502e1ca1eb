"""XLSX written row by row: memory stays flat, text stays text, numbers and days are real ones."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, Any

from django.http import FileResponse
from django.utils import timezone

from core.exports import Column, Kind, Row, close, json_text, with_places

MOST_ROWS = 1_048_576  # of a sheet, its head included
LONGEST_CELL = 32_767
LONGEST_NAME = 25  # of a sheet; 31 with the number of a further one
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
USUAL_EXPONENT = -2  # of money
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\']")
_NUMBERS = {
    Kind.INT: "0",
    Kind.MONEY: "#,##0.00",
    Kind.HOURS: "#,##0.0000",
    Kind.RATE: "#,##0.00####",
    Kind.NUMBER: "#,##0.00########",
}
_SECONDS = "yyyy-mm-dd hh:mm:ss"
_MOMENTS = {Kind.DAY: "yyyy-mm-dd", Kind.MOMENT: _SECONDS, Kind.UTC: _SECONDS, Kind.STAMP: f"{_SECONDS}.000"}
_WIDTHS = {Kind.TEXT: 22, Kind.JSON: 40, Kind.DAY: 12, Kind.MOMENT: 20, Kind.UTC: 20, Kind.STAMP: 24}


def xlsx_response(name: str, title: str, columns: Sequence[Column], rows: Iterable[Row]) -> FileResponse:
    """A download named ``name``. The file is complete before its first byte is sent; it lies on disk, unnamed."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it when it was sent
    try:
        write_xlsx(file, title, columns, rows)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=name, content_type=CONTENT_TYPE)


def write_xlsx(
    target: IO[bytes], title: str, columns: Sequence[Column], rows: Iterable[Row], *, most_rows: int = MOST_ROWS
) -> int:
    """Write the workbook and return the number of rows. A full sheet is followed by another one with the same head."""
    import xlsxwriter

    rows = with_places(columns, rows)
    book = xlsxwriter.Workbook(
        target,
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
    )
    writer = _Book(book, title, columns, most_rows)
    count = 0
    try:
        for count, row in enumerate(rows, 1):  # noqa: B007 - counted to the end
            writer.add(row)
    finally:
        close(rows)
        writer.finish()
        book.close()
    return count


class _Book:
    """The workbook and the sheet that is being filled."""

    def __init__(self, book: Any, title: str, columns: Sequence[Column], most_rows: int) -> None:
        self.book, self.columns, self.most_rows = book, columns, most_rows
        self.name = _NOT_IN_NAMES.sub(" ", title)[:LONGEST_NAME].strip() or "Sheet"
        self.head = book.add_format({"bold": True, "bottom": 1, "valign": "top"})
        formats = {**_NUMBERS, **_MOMENTS}
        self.formats = [book.add_format({"num_format": formats.get(column.kind, "@")}) for column in columns]
        self.has_currency = any(column.name == "currency" for column in columns)
        self.of_places: dict[int, Any] = {}
        self.sheets = 0
        self._open()

    def _open(self) -> None:
        self.sheets += 1
        self.sheet = self.book.add_worksheet(self.name if self.sheets == 1 else f"{self.name} ({self.sheets})")
        self.sheet.freeze_panes(1, 0)
        for place, column in enumerate(self.columns):
            label = str(column.label)
            self.sheet.set_column(place, place, max(_WIDTHS.get(column.kind, 14), len(label) + 4))
            self.sheet.write_string(0, place, label, self.head)
        self.used = 1

    def add(self, row: Row) -> None:
        if self.used == self.most_rows:
            self.finish()
            self._open()
        for place, (column, value) in enumerate(zip(self.columns, row, strict=True)):
            if value is not None and value != "":
                self._write(place, column.kind, value)
        self.used += 1

    def _write(self, place: int, kind: Kind, value: Any) -> None:
        cell = (self.used, place)
        if isinstance(value, bool):
            self.sheet.write_boolean(*cell, value)
        elif kind in _NUMBERS:
            self.sheet.write_number(*cell, value, self._number_format(place, kind, value))
        elif kind in _MOMENTS:
            self.sheet.write_datetime(*cell, _wall_clock(kind, value), self.formats[place])
        else:
            self.sheet.write_string(*cell, _text(kind, value), self.formats[place])

    def _number_format(self, place: int, kind: Kind, value: Any) -> Any:
        """Money is shown with the places that it is written with: none of yen, three of dinars."""
        is_money = self.has_currency and kind == Kind.MONEY and isinstance(value, Decimal)
        exponent = value.as_tuple().exponent if is_money else USUAL_EXPONENT
        if not isinstance(exponent, int) or exponent == USUAL_EXPONENT:
            return self.formats[place]
        decimals = max(-exponent, 0)
        if decimals not in self.of_places:
            shown = f"#,##0.{'0' * decimals}" if decimals else "#,##0"
            self.of_places[decimals] = self.book.add_format({"num_format": shown})
        return self.of_places[decimals]

    def finish(self) -> None:
        self.sheet.autofilter(0, 0, self.used - 1, len(self.columns) - 1)


def _wall_clock(kind: Kind, value: Any) -> Any:
    """A spreadsheet knows no zones: the site's time, or UTC where the column is in UTC."""
    if not isinstance(value, datetime):
        return value
    if kind in (Kind.UTC, Kind.STAMP):
        return value.astimezone(UTC).replace(tzinfo=None)
    return timezone.localtime(value, timezone.get_default_timezone()).replace(tzinfo=None)


def _text(kind: Kind, value: Any) -> str:
    text = json_text(value) if kind == Kind.JSON else str(value)
    if text.startswith("<r>"):  # the writer would take it for markup of its own and put it in unescaped
        text = "'" + text
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
