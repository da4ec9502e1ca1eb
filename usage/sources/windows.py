"""Reading a long window in parts whose length follows what Slurm can answer.

Slurm has no pages: an answer is built whole before its first byte, and one that is too wide
costs the daemon gigabytes. So a walk begins with a day, halves what was too much,
and grows after small quick answers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from core.errors import Unavailable
from core.words.said import told as _

if TYPE_CHECKING:
    import pyarrow as pa

    from usage.batches import Batch

DAY = timedelta(days=1)
LEAST = timedelta(minutes=15)
MOST = timedelta(days=31)
PATIENCE = 8  # good answers before a size that was too much is tried again


class TooMuch(Exception):
    """A window that was too slow or too large to answer; the text says which, for people."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One window, read whole: an iterator of its batches, and whether twice as much would still be welcome."""

    batches: Iterable[Batch]
    small: bool = True


Ask = Callable[[datetime, datetime], Answer]


def walk(start: datetime, end: datetime, ask: Ask, *, rows: int, quick: float) -> Iterator[Batch]:
    """Ask for [start, end) part by part; yield at least one batch a part, each record once.

    ``rows`` is the most that one answer should hold, ``quick`` the seconds below which an
    answer is a quick one. ``ask`` raises ``TooMuch`` before its first batch or not at
    all. Raises ``Unavailable``, naming the window, when the shortest one is still too much.
    """
    once = Once(start, end)
    at, size, most, calm = start, DAY, MOST, 0
    while at < end:
        stop = min(end, at + size)
        began = time.monotonic()
        try:
            answer = ask(at, stop)
        except TooMuch as why:
            if stop - at <= LEAST:
                words = _("%(why)s The window was %(where)s; a shorter one is not tried.")
                raise Unavailable(words % {"why": why.args[0], "where": spoken(at, stop)}) from why
            size = most = max(LEAST, timedelta(seconds=(stop - at) // timedelta(seconds=2)))
            calm = 0
            continue
        seconds = time.monotonic() - began
        found = 0
        for batch, share in _shares(answer.batches, (at - start) / (end - start), (stop - start) / (end - start)):
            found += len(batch)
            yield once.part(batch, at, stop, share)
        if found > rows:
            size = max(LEAST, size / 2)
        elif 2 * found <= rows and seconds < quick and answer.small:
            calm += 1
            if calm % PATIENCE == 0:
                most = min(MOST, 2 * most)
            size = min(most, 2 * size)
        at = stop


def spoken(start: datetime, end: datetime) -> str:
    """A window in the site's time: "2026-10-01 07:00 to 2026-10-02 07:00"."""
    zone = timezone.get_default_timezone()
    form = "%Y-%m-%d %H:%M" if end - start >= timedelta(minutes=1) else "%Y-%m-%d %H:%M:%S"
    first, last = (moment.astimezone(zone).strftime(form) for moment in (start, end))
    return _("%(start)s to %(end)s") % {"start": first, "end": last}


def _shares(batches: Iterable[Batch], before: float, after: float) -> Iterator[tuple[Batch, float]]:
    """Only the last batch of a part completes it; a part without rows is one empty batch."""
    from usage.batches import Batch, table_of

    held: Batch | None = None
    for batch in batches:
        if held is not None:
            yield held, before
        held = batch
    yield Batch(table_of(())) if held is None else held, after


class Once:
    """Slurm shows a record in every window it touches; this lets exactly one of them speak for it.

    That is the window its End lies in; for a record that has not ended, or that
    ended outside the whole walk, the first window that showed it. Memory is that
    of the keys of the latter.
    """

    def __init__(self, start: datetime, end: datetime) -> None:
        self._start, self._end = _second(start), _second(end)
        self._seen: set[str] = set()

    def part(self, batch: Batch, start: datetime, end: datetime, share: float) -> Batch:
        from usage.batches import Batch

        jobs = batch.jobs.filter(self._mine(batch.jobs, start, end)) if len(batch.jobs) else batch.jobs
        refused = [row for row in batch.refused if self._first(f"\0{row.text}")]
        return Batch(jobs, batch.steps, refused, spoken(start, end), share)

    def _mine(self, jobs: pa.Table, start: datetime, end: datetime) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        ended = jobs["end_at"].combine_chunks()
        mine = _within(ended, _second(start), _second(end))
        others = pc.invert(_within(ended, self._start, self._end))
        keys = jobs["job_key"].filter(others).to_pylist()
        return pc.replace_with_mask(mine, others, pa.array([self._first(key) for key in keys], pa.bool_()))

    def _first(self, key: str) -> bool:
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def _within(moments: pa.Array, first: int, last: int) -> pa.Array:
    """first <= moment < last; what has no moment lies nowhere."""
    import pyarrow.compute as pc

    return pc.fill_null(pc.and_(pc.greater_equal(moments, first), pc.less(moments, last)), False)


def _second(moment: datetime) -> int:
    """The first whole second that is not before it."""
    return math.ceil((moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1))
