"""One fact for the books, and how sources hand them out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from billing.ledger.chart import is_result
from billing.models import JournalEntry

CHUNK = 500
Side = tuple[str, date | None]  # role, month in which it was earned
Sides = dict[Side, Decimal]  # what is debited; negative: credited


@dataclass(frozen=True, slots=True)
class Fact:
    """What the books hold because of one row, as that row stands now. ``moment``: since when it stands so."""

    kind: str
    source_id: int
    currency: str
    on: date
    moment: datetime
    sides: Mapping[Side, Decimal]
    part: str = ""
    document: str = ""
    text: str = ""
    organisation_id: int | None = None
    user_id: str | None = None
    invoice_id: int | None = None
    receipt_id: int | None = None

    @property
    def key(self) -> tuple[str, int, str]:
        return self.kind, self.source_id, self.part


@dataclass(frozen=True, slots=True)
class Look:
    """Which rows a source shows: with ``full`` all of them, else those that are new, or changed after ``since``."""

    full: bool = True
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """``facts`` yields handfuls. What a ``fixed`` one says of a row never changes once it is there."""

    kinds: tuple[str, ...]
    table: str
    facts: Callable[[Look], Iterator[list[Fact]]]
    fixed: bool = True


@dataclass(slots=True)
class Adding:
    """Sides as they are put together."""

    sides: Sides = field(default_factory=lambda: defaultdict(Decimal))

    def debit(self, role: str, amount: Decimal, month: date | None = None) -> Adding:
        self.sides[role, month if is_result(role) else None] += amount
        return self

    def credit(self, role: str, amount: Decimal, month: date | None = None) -> Adding:
        return self.debit(role, -amount, month)

    def done(self) -> Sides:
        return {side: amount for side, amount in self.sides.items() if amount}


def unposted(rows: QuerySet[Any], kind: str, look: Look) -> QuerySet[Any]:
    """Of rows that never change: those without an entry; all of them for a full look."""
    if look.full:
        return rows
    return rows.filter(~Exists(JournalEntry.objects.filter(kind=kind, source_id=OuterRef("pk"))))


def handfuls(rows: QuerySet[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """By key, so that what is written meanwhile does not disturb the reading."""
    last = 0
    while found := list(rows.filter(pk__gt=last).order_by("pk")[:size]):
        last = found[-1].pk
        yield found


def day_of(moment: datetime) -> date:
    """The site's day."""
    return timezone.localdate(moment, timezone.get_default_timezone())


def only(facts: Iterable[Fact]) -> list[Fact]:
    return [fact for fact in facts if fact.sides]
