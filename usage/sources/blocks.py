"""sacct text, a block of lines at a time: regular rows by columns, all others one by one.

``RowReader`` is the rule. A row takes the quick way only when nothing about it is odd,
and both ways must give the same record (tests compare them row by row).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from core.errors import BadInput
from core.words.said import told as _
from usage.batches import Batch, batch_of, table_of
from usage.records import BadRow, Item, JobRecord
from usage.sources.columns import CATEGORIES, TEXTS, ColumnReader
from usage.sources.digits import Bools, Ints, bools
from usage.sources.lines import LINE_LIMIT, Lines
from usage.sources.text import Neighbours, RowReader, decoded, shown, split

QUOTED_LINES = 50  # a quoted field may span lines, an unclosed quote must not swallow the file
STAND_IN = b"\x1f"  # for a delimiter of several characters
LF, CR = 10, 13


class TextReader:
    """Rows below one header. ``repeated`` counts header lines met again (files were joined), ``seen`` all rows.

    ``quoted`` honours double quotes as spreadsheets write them; sacct itself never quotes.
    """

    def __init__(
        self, header: str, delimiter: str, *, quoted: bool, cluster: str, zone_of: Callable[[str], ZoneInfo]
    ) -> None:
        self.delimiter = delimiter
        self.quoted = quoted
        self.header = header
        self.names = split(header, delimiter, quoted)
        self.neighbours = Neighbours([] if quoted else self.names)
        self.seen = self.repeated = 0
        self._rows = RowReader(self.names, cluster=cluster, zone_of=zone_of)
        places = {name.strip().lower(): place for place, name in enumerate(self.names)}
        self._refuse_twice(places)
        self._wanted = {name: place for name, place in places.items() if name in (*CATEGORIES, *TEXTS)}
        self._columns = ColumnReader(set(self._wanted), cluster=cluster, zone_of=zone_of)
        self._mark = delimiter.encode()
        self._regular = _well_quoted(delimiter) if quoted else ""

    def _refuse_twice(self, places: dict[str, int]) -> None:
        """Two columns of one name may say two things: which one is meant cannot be known."""
        for place, name in enumerate(self.names):
            known = name.strip().lower()
            if known in (*CATEGORIES, *TEXTS) and places[known] != place:
                words = _("The column %(name)s stands in the header twice; leave one of them out.")
                raise BadInput(words % {"name": shown(name.strip())})

    def batches(self, lines: Lines) -> Iterator[Batch]:
        """Everything that is left in ``lines``."""
        while block := lines.block():
            yield self._read(block, lines)

    def _read(self, block: bytes, lines: Lines) -> Batch:
        found = _Block(block, lines.number + 1)
        lines.number = found.last_number
        if self.quoted and b'"' in block and found.open_quotes():
            lines.give_back(block, found.first_number - 1)
            return self._logical(lines, until=found.last_number)
        keep = found.readable()
        if self.header.encode("utf-8", "surrogateescape") in block:
            again = found.equal_to(self.header)
            self.repeated += int(again.sum())
            found.drop(again)
            keep &= ~again
        if self.quoted and b'"' in block:
            keep &= found.matching(self._regular)
        self.seen += int(found.rows.sum())
        return self._assemble(found, keep)

    # --- the quick way ---------------------------------------------------------
    def _assemble(self, found: _Block, keep: Bools) -> Batch:
        """Regular rows by columns; the rest, in its place, by ``RowReader``."""
        text = found.bytes_of(keep)
        cells, good = self._cells(text, keep)
        if good is not keep:
            text, keep = found.bytes_of(good), good
        rows = np.flatnonzero(keep)
        suspicious = self._suspicious(found, ~keep & found.rows)
        derived = self._columns.read(cells, found.texts(text, keep)) if len(rows) else None
        if derived is None:
            jobs, places, steps = table_of(()), rows, 0
            odd = found.rows
        else:
            left = suspicious[rows]
            quick = derived.regular & ~left
            places, jobs = rows[quick], derived.jobs.filter(pa.array(quick))
            steps = int((derived.step & ~left).sum())
            odd = found.rows.copy()
            odd[rows[quick | (derived.step & ~left)]] = False
        return self._merged(found, jobs, places, steps, np.flatnonzero(odd))

    def _merged(self, found: _Block, jobs: pa.Table, places: Ints, steps: int, odd: Ints) -> Batch:
        records: list[JobRecord] = []
        own: list[int] = []
        refused: list[BadRow] = []
        last = 0
        for place in odd.tolist():
            start, stop = found.bounds(place)
            self.neighbours.pass_over(start - last)
            last = stop
            item = self._one(found.line(place), found.first_number + place)
            if isinstance(item, JobRecord):
                records.append(item)
                own.append(place)
            elif isinstance(item, BadRow):
                refused.append(item)
            elif item:
                steps += 1
        self.neighbours.pass_over(found.size - last)
        if records:
            order = np.argsort(np.concatenate([places, np.array(own, np.int64)]), kind="stable")
            jobs = pa.concat_tables([jobs, table_of(records)]).take(pa.array(order))
        return Batch(jobs, steps, refused)

    def _suspicious(self, found: _Block, broken: Bools) -> Bools:
        """Rows that may belong to a broken one before them: they are judged in order, one by one."""
        near = np.zeros(len(broken), np.bool_)
        if self.neighbours.free_text:
            if self.neighbours.suspicious:
                near |= found.starts < self.neighbours.suspicious
            for place in np.flatnonzero(broken):
                reach = found.ends[place] + self.neighbours.room + 1
                near[place + 1 : np.searchsorted(found.starts, reach)] = True
        return near

    def _cells(self, text: bytes, keep: Bools) -> tuple[dict[str, pa.Array], Bools]:
        """The wanted cells of the rows in ``text`` that have as many as the header; ``keep`` without the others."""
        if not text:
            return {}, keep
        mark = self._mark
        if len(mark) > 1:
            if STAND_IN in text:
                return {}, np.zeros_like(keep)
            text, mark = text.replace(mark, STAND_IN), STAND_IN
        wrong: list[int] = []

        def refuse(row: csv.InvalidRow) -> str:
            wrong.append(row.number - 1)
            return "skip"

        table = csv.read_csv(
            pa.BufferReader(text),
            csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=self._column_names()),
            csv.ParseOptions(
                delimiter=mark.decode(), quote_char='"' if self.quoted else False, ignore_empty_lines=False,
                invalid_row_handler=refuse,
            ),
            csv.ConvertOptions(column_types=_TYPES, include_columns=list(self._wanted), strings_can_be_null=False),
        )  # fmt: skip
        if wrong:
            keep = keep.copy()
            keep[np.flatnonzero(keep)[wrong]] = False
        return {name: _whole(table[name]) for name in self._wanted}, keep

    def _column_names(self) -> list[str]:
        names = [f"#{place}" for place in range(len(self.names))]
        for name, place in self._wanted.items():
            names[place] = name
        return names

    # --- one by one ----------------------------------------------------------------
    def _one(self, line: bytes, number: int) -> Item | None:
        if not line.strip():
            self.seen -= 1
            return None
        if len(line) >= LINE_LIMIT:
            return BadRow(number, shown(decoded(line[:1000])), "line_too_long", f"over {LINE_LIMIT} bytes")
        return self._item(decoded(line), number)

    def _item(self, text: str, number: int) -> Item:
        cells = split(text, self.delimiter, self.quoted)
        return self.neighbours.judge(self._rows.read(cells, shown(text), number), len(cells), shown(text), number)

    def _logical(self, lines: Lines, *, until: int) -> Batch:
        """Rows of a block in which a quoted field spans lines, as the csv module reads them."""
        items: list[Item] = []
        while lines.number < until and (line := lines.next()) is not None:
            number = lines.number
            if len(line) >= LINE_LIMIT or line.count(b'"') % 2 == 0:
                item = self._one(line, number)
            elif joined := _close_quote(lines, line):
                item = self._item(decoded(joined), number)
            else:
                item = BadRow(number, shown(decoded(line)), "open_quote")
            if line.decode("utf-8", "surrogateescape") == self.header:
                self.repeated += 1
            elif item:
                self.seen += 1
                items.append(item)
        return batch_of(items)


_TYPES = dict.fromkeys(CATEGORIES, pa.dictionary(pa.int32(), pa.string())) | dict.fromkeys(TEXTS, pa.string())


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


class _Block:
    """Where the lines of a block are. ``rows`` is False for lines that are no rows (empty, dropped)."""

    def __init__(self, block: bytes, first_number: int) -> None:
        self._block = block
        data = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(data == LF)
        if not block.endswith(b"\n"):
            ends = np.append(ends, len(block))
        self.size = len(block)
        self.starts = np.concatenate([[0], ends[:-1] + 1])
        has_cr = (ends > self.starts) & (data[np.maximum(ends - 1, 0)] == CR)
        self.ends = ends - has_cr
        self.rows: Bools = self.ends > self.starts
        self.first_number = first_number
        self.last_number = first_number + len(ends) - 1
        offsets = np.append(self.starts, len(block)).astype(np.int32)
        self._lines = pa.Array.from_buffers(
            pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(block)]
        )  # each with its line end

    def bounds(self, place: int) -> tuple[int, int]:
        return int(self.starts[place]), int(self.starts[place + 1]) if place + 1 < len(self.starts) else self.size

    def line(self, place: int) -> bytes:
        return self._block[self.starts[place] : self.ends[place]]

    def readable(self) -> Bools:
        """Lines that are rows, valid UTF-8 of decent length, without NUL and without a lone carriage return."""
        good: Bools = self.rows & (self.ends - self.starts < LINE_LIMIT)
        data = np.frombuffer(self._block, np.uint8)
        if b"\0" in self._block:
            good[self._of(np.flatnonzero(data == 0))] = False
        if b"\r" in self._block:
            returns = np.flatnonzero(data == CR)
            lines = self._of(returns)
            good[lines[returns != self.ends[lines]]] = False
        if not self._block.isascii() and not _is_utf8(self._block):
            for place in np.unique(self._of(np.flatnonzero(data >= 128))):  # noqa: PLR2004 - not ASCII
                good[place] &= _is_utf8(self.line(int(place)))
        return good

    def _of(self, positions: Ints) -> Ints:
        """The line of each position."""
        lines: Ints = np.searchsorted(self.starts, positions, side="right") - 1
        return lines

    def open_quotes(self) -> bool:
        return bool(pc.any(pc.equal(pc.bit_wise_and(pc.count_substring(self._lines, '"'), 1), 1)).as_py())

    def matching(self, pattern: str) -> Bools:
        return bools(pc.match_substring_regex(self._lines, pattern))

    def equal_to(self, text: str) -> Bools:
        line = text.encode("utf-8", "surrogateescape")
        return bools(pc.is_in(self._lines, pa.array([line, line + b"\n", line + b"\r\n"])))

    def drop(self, lines: Bools) -> None:
        self.rows = self.rows & ~lines

    def bytes_of(self, keep: Bools) -> bytes:
        if keep.all():
            return self._block
        kept = self._lines.filter(pa.array(keep))
        offsets = np.frombuffer(kept.buffers()[1], np.int32)
        text: bytes = kept.buffers()[2].to_pybytes()
        return text[offsets[0] : offsets[len(kept)]]

    def texts(self, text: bytes, keep: Bools) -> pa.Array:
        """The kept lines without their ends; ``text`` is all of them together, and valid UTF-8."""
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        data = text.replace(b"\n", b"").removesuffix(b"\r")
        lengths = (self.ends - self.starts)[keep]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        return pa.Array.from_buffers(pa.string(), len(lengths), [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _well_quoted(delimiter: str) -> str:
    """A line each of whose fields is quoted whole or has no quote."""
    mark = re.escape(delimiter)
    field = f'(?:"(?:[^"]|"")*"|[^"{mark}\\r\\n]*)'
    return f"^{field}(?:{mark}{field})*\\r?\\n?$"


def _close_quote(lines: Lines, first: bytes) -> bytes | None:
    """The row up to the line that closes its quote; None (and the lines given back) when none does soon."""
    taken = [first]
    number, quotes = lines.number, first.count(b'"')
    while len(taken) <= QUOTED_LINES and (line := lines.next()) is not None:
        taken.append(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            return b"\n".join(taken)
    if taken[1:]:
        lines.give_back(b"\n".join(taken[1:]) + b"\n", number)
    return None
