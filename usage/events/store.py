"""The contract of a store of events. The database is the usual one; ``settings.EVENT_STORES`` names others.

What every store must do is written as tests in ``tests/usage/test_event_store.py``, which run against each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date

from django.conf import settings

from core.registry import load
from usage.events.rows import Batch


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which aggregates are meant: those of a month (its first day; as each organisation's zone has it) or of all time,
    of one organisation or of all."""

    month: date | None = None
    organisation_id: int | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A series whose aggregate is not the sum of its events, in words."""

    series: str
    stored: str
    counted: str


class EventStore(ABC):
    @abstractmethod
    def add(self, batch: Batch) -> list[str]:
        """Keep the rows and their aggregates, all or nothing; durable when it returns. One verdict a row: ``accepted``,
        ``duplicate`` (the same event is there) or ``conflict`` (another is there under its project and key).

        Of callers at the same time with the same key exactly one has ``accepted``. Only accepted rows count in the
        aggregates. Raises for trouble of the store itself; then nothing of the batch was kept.
        """

    @abstractmethod
    def rebuild(self, stretch: Stretch) -> int:
        """Make the aggregates of the stretch anew from the events; returns how many there are."""

    @abstractmethod
    def check(self, stretch: Stretch, most: int = 20) -> list[Difference]:
        """Where aggregates and events differ, at most so many. Writes nothing."""

    @abstractmethod
    def fold(self) -> int:
        """Put the slots of series that nobody writes to at this moment together; returns how many rows went."""


def open_store(name: str = "") -> EventStore:
    """The store that the settings choose. Raises ``Misconfigured``."""
    store: EventStore = load("EVENT_STORES", name or settings.EVENT_STORE)()
    return store
