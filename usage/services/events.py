"""Taking metered events in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from usage.events.checking import Checked, Checker, Clock, Sender
from usage.events.rows import ACCEPTED, CONFLICT, DUPLICATE, REJECTED, Batch, Point
from usage.events.schema import Event, Refused
from usage.events.store import open_store
from usage.services.reservations import settle_reservations

CONFLICTING = Refused("conflict", "another event is stored under this idempotency key", "idempotency_key")


@dataclass(frozen=True, slots=True)
class Verdict:
    """``status`` accepted, duplicate, conflict or rejected; ``refused`` says why, for the last two."""

    status: str
    id: UUID | None = None
    is_late: bool = False
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """One verdict an item, in the order in which they came."""

    verdicts: list[Verdict]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(verdict.status for verdict in self.verdicts)
        return {status: found[status] for status in (ACCEPTED, DUPLICATE, CONFLICT, REJECTED)}

    @property
    def late(self) -> int:
        return sum(verdict.is_late for verdict in self.verdicts)


def take_events(
    *, sender: Sender, items: Sequence[Event | Refused], now: datetime | None = None, any_age: bool = False,
    dry_run: bool = False,
) -> Taken:  # fmt: skip
    """Store what is right of ``items`` with its aggregates, in one statement; it is durable when this returns.

    An item that is wrong is rejected with a reason and keeps none of the others back. The same event again is a
    ``duplicate``; another one under the same project and idempotency key a ``conflict``, in the batch as in the store.
    """
    events = [item for item in items if isinstance(item, Event)]
    checker = Checker(events, sender, Clock.at(now or timezone.now(), any_age=any_age))
    found = [item if isinstance(item, Refused) else checker.check(item) for item in items]
    return Taken(keep(found, dry_run=dry_run))


def keep(items: Sequence[Checked | Refused], *, dry_run: bool = False) -> list[Verdict]:
    """Store what was checked, of one sender or of several, all in one; a verdict for each item, in their order."""
    verdicts: list[Verdict | None] = [None] * len(items)
    chosen: dict[tuple[int, str], int] = {}  # project and key -> index of the item that stands for them
    checked: dict[int, Checked] = {}
    repeats: dict[int, int] = {}  # index -> the item that says the same
    for index, found in enumerate(items):
        if isinstance(found, Refused):
            verdicts[index] = Verdict(REJECTED, refused=found)
            continue
        row = found.row
        first = chosen.setdefault((row.project_id, row.idempotency_key), index)
        if first == index:
            checked[index] = found
        elif checked[first].row.payload_hash == row.payload_hash:
            repeats[index] = first
        else:
            verdicts[index] = Verdict(CONFLICT, refused=CONFLICTING)
    statuses = _store(list(checked.values()), dry_run=dry_run)
    for index, status in zip(checked, statuses, strict=True):
        verdicts[index] = _verdict(status, checked[index])
    for index, first in repeats.items():
        known = verdicts[first]
        verdicts[index] = known if known and known.status == CONFLICT else Verdict(DUPLICATE)
    return [verdict for verdict in verdicts if verdict is not None]


def _verdict(status: str, checked: Checked) -> Verdict:
    if status == ACCEPTED:
        return Verdict(status, checked.row.id, checked.row.is_late)
    return Verdict(status, refused=CONFLICTING if status == CONFLICT else None)


def _store(checked: list[Checked], *, dry_run: bool) -> list[str]:
    batch = Batch(
        [each.row for each in checked],
        [Point(index, *found) for index, each in enumerate(checked) for found in each.found],
    )
    if dry_run:
        with transaction.atomic():
            statuses = open_store().add(batch)
            transaction.set_rollback(True)
        return statuses
    if not any(each.reservation for each in checked):
        return open_store().add(batch)
    with transaction.atomic():  # what was set aside goes in the moment in which the use is counted
        statuses = open_store().add(batch)
        settle_reservations(
            {
                each.reservation: each.row.subscription_id
                for each, status in zip(checked, statuses, strict=True)
                if each.reservation and status == ACCEPTED
            }
        )
    return statuses
