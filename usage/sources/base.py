"""What a usage source is. Register one in ``settings.USAGE_SOURCES`` as key -> dotted path."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from usage.records import BadRow, Item, JobRecord


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """What is asked of a source: jobs that ended in ``start <= End < end`` (either open), and those not ended.

    A source may give more than was asked (Slurm's own windows overlap): the
    importer filters by window, user and cluster. ``cluster`` is the name for rows
    that carry none, ``only_cluster`` the one that was asked for. ``zone_of`` maps a
    cluster's name to the zone of local times in its text.
    """

    zone_of: Callable[[str], ZoneInfo]
    cluster: str
    only_cluster: str = ""
    start: datetime | None = None
    end: datetime | None = None
    user: str = ""
    file: str = ""
    delimiter: str = ""


class UsageSource(ABC):
    """One way to learn of usage.

    ``check`` raises ``Misconfigured`` when a setting is missing; it touches
    nothing outside. ``rows`` streams in bounded memory and raises ``Unavailable``
    (a daemon or program that does not answer or refuses), ``BadInput`` or
    ``UsageError`` (a file that cannot be used): trouble is never "no rows".
    A row that cannot be read is yielded as a ``BadRow``. One record is yielded
    once per run. ``notes`` is for people.
    """

    key: ClassVar[str]
    live: ClassVar[bool]  # asks a running Slurm, so a window is needed
    timeout: float = 0  # seconds to wait for an answer; 0: as long as the source itself thinks right

    def __init__(self, request: SourceRequest) -> None:
        self.request = request
        self.notes: list[str] = []
        self.file_name = ""
        self.file_sha256 = ""

    @abstractmethod
    def check(self) -> None:
        """Raise ``Misconfigured`` naming what is not set."""

    @abstractmethod
    def rows(self) -> Iterator[Item]:
        """Yield records, steps and refused rows."""

    def window(self) -> tuple[datetime, datetime]:
        """Both ends, for a live source."""
        if self.request.start is None or self.request.end is None:
            raise ValueError(f"{self.key} needs a window")
        return self.request.start, self.request.end


def split_window(start: datetime, end: datetime, *, days: int) -> Iterator[tuple[datetime, datetime]]:
    """Cut [start, end) into parts of at most ``days``."""
    while start < end:
        stop = min(end, start + timedelta(days=days))
        yield start, stop
        start = stop


class WindowWalk:
    """Slurm shows a record in every window it touches; this lets exactly one of them speak for it.

    That is the window its End lies in; for a record that has not ended, or that
    ended outside the whole walk, the first window that showed it.
    """

    def __init__(self, start: datetime, end: datetime) -> None:
        self._start, self._end = start.timestamp(), end.timestamp()
        self._seen: set[object] = set()

    def speaks(self, item: Item, start: datetime, end: datetime) -> bool:
        if isinstance(item, JobRecord) and item.end_at is not None and self._start <= item.end_at < self._end:
            return start.timestamp() <= item.end_at < end.timestamp()
        if not isinstance(item, JobRecord | BadRow):
            return True
        mark = item.job_key if isinstance(item, JobRecord) else item.text
        if mark in self._seen:
            return False
        self._seen.add(mark)
        return True
