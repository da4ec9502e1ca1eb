"""Bank statements as CSV: finds the header, the delimiter and the encoding, and yields entries and faults. Pure.

Rows are read one by one, whatever their number. Banks write lines before the header and after the last row;
a row is passed over only when there is no money in it, or when it calls itself a total and has no day.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import BinaryIO

from core.money import to_minor
from payments.statements.cells import Role, is_total, read_amount, read_day, read_side, role_of, tidy

DELIMITERS = (",", ";", "\t")
ENCODINGS = ("utf-8-sig", "cp874")
HEADER_WITHIN = 100  # rows
WIDEST = 200  # columns
LONGEST_DESCRIPTION, LONGEST_REFERENCE = 500, 120
_CURRENCY = re.compile(r"[A-Z]{3}")
_EMPTY = ("", "-", "–")
_MONEY = (Role.IN, Role.OUT, Role.AMOUNT)
_SEVERAL = (Role.DESCRIPTION, Role.REFERENCE, *_MONEY)


class Unreadable(Exception):
    """The file as a whole is no statement; ``code`` says why."""

    def __init__(self, code: str, row: int = 0) -> None:
        super().__init__(code)
        self.code, self.row = code, row


@dataclass(frozen=True, slots=True)
class Entry:
    """One row with money. ``amount`` below zero went out. ``row`` is the line of the file."""

    row: int
    posted_on: date
    value_on: date | None
    currency: str
    amount: Decimal
    description: str
    reference: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that cannot be read: its line, the column (as the file calls it) and, as a code, what is wanted there."""

    row: int
    column: str
    code: str
    found: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the header stands, and which columns tell what."""

    delimiter: str
    row: int
    names: tuple[str, ...]
    columns: dict[Role, list[int]] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        return Role.POSTED in self.columns and (Role.IN in self.columns or Role.AMOUNT in self.columns)


def encoding_of(file: BinaryIO, wanted: str = "") -> str:
    """The first encoding in which all of ``file`` makes sense. Raises ``Unreadable``."""
    file.seek(0)
    if file.read(4).startswith((b"PK\x03\x04", b"%PDF")):
        raise Unreadable("binary")
    for name in (wanted,) if wanted else ENCODINGS:
        file.seek(0)
        decoder = codecs.getincrementaldecoder(name)()
        try:
            while block := file.read(1 << 16):
                if b"\0" in block:
                    raise Unreadable("binary")
                decoder.decode(block)
            decoder.decode(b"", True)
        except UnicodeError:
            continue
        return name
    raise Unreadable("encoding")


def layout_of(file: BinaryIO, encoding: str, delimiter: str = "") -> Layout:
    """The header of the statement: of all delimiters, the one that makes most sense. Raises ``Unreadable``."""
    best: Layout | None = None
    for each in (delimiter,) if delimiter else DELIMITERS:
        with closing(_rows(file, encoding, each)) as rows:
            found = _header(rows, each)
        if found is not None and (best is None or len(found.columns) > len(best.columns)):
            best = found
    if best is None:
        raise Unreadable("header")
    return best


def _header(rows: Iterator[tuple[int, list[str]]], delimiter: str) -> Layout | None:
    try:
        for row, cells in islice(rows, HEADER_WITHIN):
            layout = Layout(delimiter, row, tuple(map(tidy, cells[:WIDEST])))
            for place, name in enumerate(layout.names):
                role = role_of(name)
                if role is not None and (role not in layout.columns or role in _SEVERAL):
                    layout.columns.setdefault(role, []).append(place)
            if layout.usable:
                return layout
    except csv.Error:
        pass  # not with this delimiter
    return None


def _rows(file: BinaryIO, encoding: str, delimiter: str) -> Generator[tuple[int, list[str]], None, None]:
    """The line on which a row begins, and its cells."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, newline="")
    try:
        reader, first = csv.reader(text, delimiter=delimiter, strict=True), 1
        for cells in reader:
            yield first, cells
            first = reader.line_num + 1
    finally:
        text.detach()  # the file stays open for whoever gave it


def read_entries(
    file: BinaryIO, encoding: str, layout: Layout, *, currency: str, latest: date
) -> Iterator[Entry | Fault]:
    """Rows after the header. ``currency`` where the file names none; a day after ``latest`` is misread."""
    reader = _Reader(layout, currency, latest)
    row = layout.row
    try:
        for row, cells in _rows(file, encoding, layout.delimiter):
            if row > layout.row and any(cell.strip() for cell in cells):
                item = reader.read(row, cells)
                if item is not None:
                    yield item
    except csv.Error:
        yield Fault(row + 1, "", "quotes")


class _Wrong(Exception):
    def __init__(self, role: Role, code: str) -> None:
        super().__init__(code)
        self.role, self.code = role, code


class _Reader:
    """Turns the cells of a row into an entry."""

    def __init__(self, layout: Layout, currency: str, latest: date) -> None:
        self.layout, self.currency, self.latest = layout, currency, latest

    def read(self, row: int, cells: Sequence[str]) -> Entry | Fault | None:
        layout = self.layout
        if tuple(map(tidy, cells)) == layout.names:  # repeated on each page
            return None
        if self._says_nothing(cells):
            return None
        if any(cell.strip() for cell in cells[len(layout.names) :]):
            return Fault(row, "", "cells", str(len(cells)))
        try:
            return self._entry(row, cells)
        except _Wrong as wrong:
            place = layout.columns.get(wrong.role, [0])[0]
            return Fault(row, layout.names[place], wrong.code, self._cell(cells, wrong.role)[:60])

    def _cell(self, cells: Sequence[str], role: Role) -> str:
        return next(iter(self._cells(cells, role)), "")

    def _cells(self, cells: Sequence[str], role: Role) -> list[str]:
        """What stands in the columns of ``role``."""
        places = self.layout.columns.get(role, [])
        return [text for place in places if place < len(cells) and (text := tidy(cells[place]))]

    def _says_nothing(self, cells: Sequence[str]) -> bool:
        """No money is in it: text of the bank, an opening balance, a total without a day, an amount of zero.

        Money may hide in a row that is too long; a row with a day and no amount at all has lost it.
        """
        if any(cell.strip() for cell in cells[len(self.layout.names) :]):
            return False
        posted, total = self._cell(cells, Role.POSTED), any(map(is_total, cells))
        if total and (not posted or is_total(posted)):
            return True
        texts = [text for role in _MONEY for text in self._cells(cells, role)]
        if not texts:
            return total or read_day(posted) is None
        return all(text in _EMPTY or read_amount(text, self.currency) == 0 for text in texts)

    def _entry(self, row: int, cells: Sequence[str]) -> Entry:
        currency = self._cell(cells, Role.CURRENCY).upper() or self.currency
        if not _CURRENCY.fullmatch(currency):
            raise _Wrong(Role.CURRENCY, "currency")
        references = self._cells(cells, Role.REFERENCE)
        words = [*self._cells(cells, Role.DESCRIPTION), *references[1:]]
        value = self._cell(cells, Role.VALUE)
        return Entry(
            row, self._day(cells, Role.POSTED), self._day(cells, Role.VALUE) if value else None, currency,
            self._amount(cells, currency), " ".join(words), references[0] if references else "",
        )  # fmt: skip

    def _day(self, cells: Sequence[str], role: Role) -> date:
        day = read_day(self._cell(cells, role))
        if day is None:
            raise _Wrong(role, "day")
        if role == Role.POSTED and day > self.latest:
            raise _Wrong(role, "future")
        return day

    def _amount(self, cells: Sequence[str], currency: str) -> Decimal:
        """Signed: from a deposit and a withdrawal column, from one with a sign, or from one with a side beside it."""
        came, went = (self._number(cells, role, currency) for role in (Role.IN, Role.OUT))
        if came and went:
            raise _Wrong(Role.IN, "both")
        if came:
            return came
        if went:
            return -abs(went)
        amount = self._number(cells, Role.AMOUNT, currency)
        if not amount:
            raise _Wrong(Role.AMOUNT if Role.AMOUNT in self.layout.columns else Role.IN, "amount")
        if Role.SIDE not in self.layout.columns:
            return amount
        side = read_side(self._cell(cells, Role.SIDE))
        if side is None:
            raise _Wrong(Role.SIDE, "side")
        return abs(amount) * side if amount > 0 else amount

    def _number(self, cells: Sequence[str], role: Role, currency: str) -> Decimal:
        """Of the first column of ``role``; more of them may say nothing else, for which one counts would be a guess."""
        places = [place for place in self.layout.columns.get(role, []) if place < len(cells)]
        found = [self._value(tidy(cells[place]), role, currency) for place in places] or [Decimal(0)]
        if any(each not in (0, found[0]) for each in found):
            raise _Wrong(role, "twice")
        return found[0]

    def _value(self, text: str, role: Role, currency: str) -> Decimal:
        if text in _EMPTY:
            return Decimal(0)
        value = read_amount(text, currency)
        if value is None:
            raise _Wrong(role, "amount")
        try:
            to_minor(value, currency)
        except ValueError as error:
            raise _Wrong(role, "places") from error
        return value
