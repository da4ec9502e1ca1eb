"""Clock times and durations of whole columns, by their digits at fixed places. The rules are those of ``parsing``.

Each reader returns (values, read): int64 values, and True where the text had a shape it
reads. The caller gives every other row to ``parsing`` itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_QUARTER = 900  # offsets of time zones change at quarters of an hour, and are the same all through one
_DAY = 86_400
_TABLE = 3_000_000  # quarters: some eighty years
_ZERO = np.uint8(ord("0"))


def bools(mask: pa.Array) -> Bools:
    found: Bools = mask.to_numpy(zero_copy_only=False)
    return found


def whole(texts: pa.Array, digits: int = 18) -> tuple[Ints, Bools]:
    """Plain decimal digits, at most ``digits`` of them."""
    size = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    if not len(texts):
        return np.zeros(0, np.int64), np.zeros(0, np.bool_)
    read = bools(pc.ascii_is_decimal(texts)) & (size > 0) & (size <= digits)
    if read.all():
        return pc.cast(texts, pa.int64()).to_numpy(zero_copy_only=False), read
    values = np.zeros(len(texts), np.int64)
    values[read] = pc.cast(texts.filter(pa.array(read)), pa.int64()).to_numpy(zero_copy_only=False)
    return values, read


def durations(texts: pa.Array) -> tuple[Ints, Bools, Bools]:
    """``[D[D[D]]-]HH:MM:SS`` and ``MM:SS.mmm`` in whole seconds, half-up; third: the text is exactly zero."""
    values = np.zeros(len(texts), np.int64)
    read = np.zeros(len(texts), np.bool_)
    zero = np.zeros(len(texts), np.bool_)
    for size, rows, cells in _by_length(texts, (8, 9, 10, 11, 12)):
        if size == 9:  # noqa: PLR2004
            good = _shaped(cells, "dd:dd.ddd")
            minutes, seconds, thousandths = _number(cells, 0, 2), _number(cells, 3, 5), _number(cells, 6, 9)
            found = minutes * 60 + seconds + (thousandths >= 500)  # noqa: PLR2004
            good &= seconds < 60  # noqa: PLR2004
            nothing = (minutes == 0) & (seconds == 0) & (thousandths == 0)
        else:
            clock = size - 8
            good = _shaped(cells, ("d" * (clock - 1) + "-" if clock else "") + "dd:dd:dd")
            days = _number(cells, 0, clock - 1) if clock else np.zeros(len(rows), np.int64)
            hours, minutes, seconds = (_number(cells, clock + at, clock + at + 2) for at in (0, 3, 6))
            found = days * _DAY + hours * 3600 + minutes * 60 + seconds
            good &= (minutes < 60) & (seconds < 60)  # noqa: PLR2004
            nothing = found == 0
        values[rows], read[rows], zero[rows] = found, good, nothing & good
    return values, read, zero


def local_times(texts: pa.Array, zone: ZoneInfo) -> tuple[Ints, Bools]:
    """``YYYY-MM-DDTHH:MM:SS`` local to ``zone`` as epoch seconds."""
    values = np.zeros(len(texts), np.int64)
    read = np.zeros(len(texts), np.bool_)
    for _size, rows, cells in _by_length(texts, (19,)):
        good = _shaped(cells, "dddd-dd-ddTdd:dd:dd")
        year, month, day = _number(cells, 0, 4), _number(cells, 5, 7), _number(cells, 8, 10)
        hour, minute, second = (_number(cells, at, at + 2) for at in (11, 14, 17))
        good &= (year > 0) & (month >= 1) & (month <= 12)  # noqa: PLR2004
        months = np.where(good, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
        first = months.astype("datetime64[D]").astype(np.int64)
        length = (months + 1).astype("datetime64[D]").astype(np.int64) - first
        good &= (day >= 1) & (day <= length) & (hour < 24) & (minute < 60) & (second < 60)  # noqa: PLR2004
        local = np.where(good, (first + day - 1) * _DAY + hour * 3600 + minute * 60 + second, 0)
        values[rows], read[rows] = local - _offsets(local, zone), good
    return values, read


def _offsets(local: Ints, zone: ZoneInfo) -> Ints:
    """UTC offset of each local time, asked once a quarter of an hour."""
    quarters = local // _QUARTER
    first = int(quarters.min())
    if int(quarters.max()) - first > _TABLE:
        present, places = np.unique(quarters, return_inverse=True)
        return np.array([_offset(int(quarter), zone) for quarter in present], np.int64)[places]
    table = np.zeros(int(quarters.max()) - first + 1, np.int64)
    table[quarters - first] = 1
    for place in np.flatnonzero(table).tolist():
        table[place] = _offset(place + first, zone)
    return table[quarters - first]


@lru_cache(maxsize=65_536)
def _offset(quarter: int, zone: ZoneInfo) -> int:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=quarter * _QUARTER)
    offset = moment.replace(tzinfo=zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _by_length(texts: pa.Array, sizes: tuple[int, ...]) -> Iterator[tuple[int, Ints, npt.NDArray[np.uint8]]]:
    """Rows of each length in bytes, with their bytes as a matrix."""
    lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    for size in sizes:
        rows = np.flatnonzero(lengths == size)
        if len(rows):
            same = texts if len(rows) == len(texts) else texts.take(pa.array(rows))
            offset = np.frombuffer(same.buffers()[1], np.int32)[same.offset]
            data = np.frombuffer(same.buffers()[2], np.uint8)[offset : offset + len(rows) * size]
            yield size, rows, data.reshape(len(rows), size)


def _shaped(cells: npt.NDArray[np.uint8], shape: str) -> Bools:
    """True where each byte is what ``shape`` says: d for a digit, every other character for itself."""
    good = np.ones(len(cells), np.bool_)
    for place, kind in enumerate(shape):
        column = cells[:, place]
        good &= (column - _ZERO <= 9) if kind == "d" else column == ord(kind)  # noqa: PLR2004 - unsigned: below 0 wraps
    return good


def _number(cells: npt.NDArray[np.uint8], start: int, stop: int) -> Ints:
    value = np.zeros(len(cells), np.int64)
    for place in range(start, stop):
        value = value * 10 + (cells[:, place] - _ZERO)
    return value
