"""What a usage source is. Register one in ``settings.USAGE_SOURCES`` as key -> dotted path."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from usage.batches import Batch


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """What is asked of a source: jobs that ended in ``start <= End < end`` (either open), and those not ended.

    A source may give more than was asked (Slurm's own windows overlap): the
    importer filters by window, user and cluster. ``cluster`` is the name for rows
    that carry none, ``only_cluster`` the one that was asked for. ``zone_of`` maps a
    cluster's name to the zone of local times in its text; ``zone`` is the one that was
    given for all of it. ``asked_at`` is when a live
    source's window was fixed: what ends later is not in it, whatever ``end`` says.
    """

    zone_of: Callable[[str], ZoneInfo]
    cluster: str
    only_cluster: str = ""
    start: datetime | None = None
    end: datetime | None = None
    user: str = ""
    file: str = ""
    delimiter: str = ""
    zone: str = ""
    asked_at: datetime | None = None


class UsageSource(ABC):
    """One way to learn of usage.

    ``check`` raises ``Misconfigured`` when a setting is missing; it touches
    nothing outside. ``batches`` streams in bounded memory and raises ``Unavailable``
    (a daemon or program that does not answer or refuses), ``BadInput`` or
    ``UsageError`` (a file that cannot be used): trouble is never "no rows".
    A row that cannot be read is a ``BadRow`` of its batch. One record is yielded
    once per run. ``notes`` is for people. ``columns`` and ``delimiter`` are those of its
    text rows (none for JSON), known once the first batch has come. ``whole`` is False
    when the source may have held jobs back; it is true only after the last batch.
    """

    key: ClassVar[str]
    live: ClassVar[bool]  # asks a running Slurm, so a window is needed
    timeout: float = 0  # seconds to wait for an answer; 0: as long as the source itself thinks right

    def __init__(self, request: SourceRequest) -> None:
        self.request = request
        self.notes: list[str] = []
        self.whole = True
        self.file_name = ""
        self.file_sha256 = ""
        self.columns: list[str] = []
        self.delimiter = ""

    @abstractmethod
    def check(self) -> None:
        """Raise ``Misconfigured`` naming what is not set."""

    @abstractmethod
    def batches(self) -> Iterator[Batch]:
        """Yield records, steps and refused rows, a bounded number at a time; the first batch may be empty."""

    def window(self) -> tuple[datetime, datetime]:
        """Both ends, for a live source."""
        if self.request.start is None or self.request.end is None:
            raise ValueError(f"{self.key} needs a window")
        return self.request.start, self.request.end
