"""Renewal: the fee of every period that has begun, in sets. Repeats and runs side by side charge each period once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.selectors.fees import due, trouble_words
from billing.services.subscriptions.fees import RELATED, Advance, Caught, catch_up
from core.clock import of
from core.context import Actor
from core.errors import Busy
from subscriptions.models import Subscription
from subscriptions.services.ending import end_due

CHUNK = 200
MOST_NOTES = 100


@dataclass(slots=True)
class Renewed:
    """``renewed`` subscriptions came to ``fees``; ``free``: periods that cost nothing; ``failed`` are parked as they
    were, each with its reason in ``notes``, and are tried again by the next run."""

    renewed: int = 0
    fees: int = 0
    free: int = 0
    new_plans: int = 0
    expired: int = 0
    canceled: int = 0
    failed: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, each: Caught) -> None:
        self.renewed += each.renewed
        self.free += each.free
        self.new_plans += each.plans
        self.fees += len(each.fees)
        self.failed += len(each.parked)
        for fee in each.fees:
            self.sums[fee.currency] = self.sums.get(fee.currency, Decimal(0)) + fee.amount
        room = MOST_NOTES - len(self.notes)
        self.notes += [f"{one.row}: {trouble_words(one.trouble)}" for one in each.parked[:room]]

    def as_json(self) -> dict[str, Any]:
        names = ("renewed", "fees", "free", "new_plans", "expired", "canceled", "failed")
        sums = {currency: f"{total:f}" for currency, total in sorted(self.sums.items())}
        return {**{name: getattr(self, name) for name in names}, "sums": sums, "notes": self.notes}


def renew_subscriptions(
    *, actor: Actor, now: datetime | None = None, dry_run: bool = False, organisations: Sequence[int] | None = None
) -> Renewed:
    """Begin all periods that are due, then end what is over: of these organisations, else of all real ones and of
    persons. With ``dry_run`` it is done, counted and undone."""
    moment, found = now or timezone.now(), Renewed()
    if not dry_run:
        _renew(actor, moment, found, organisations)
        return found
    with transaction.atomic():
        _renew(actor, moment, found, organisations)
        transaction.set_rollback(True)
    return found


def _renew(actor: Actor, now: datetime, found: Renewed, organisations: Sequence[int] | None) -> None:
    last, size = 0, CHUNK
    while size == CHUNK:
        last, size = _chunk(actor, now, last, found, organisations)
    ended = end_due(actor=actor, now=now, organisations=organisations)
    found.expired, found.canceled = ended.expired, ended.canceled


@transaction.atomic
def _chunk(
    actor: Actor, now: datetime, after: int, found: Renewed, organisations: Sequence[int] | None
) -> tuple[int, int]:
    """The next rows by key, so that those that fail are passed and not met again: the last key, and how many."""
    chosen = of(due(now), organisations).filter(pk__gt=after)
    rows = list(chosen.select_for_update(of=("self",)).select_related(*RELATED).order_by("pk")[:CHUNK])
    for each in _together(actor, rows, now) if rows else ():
        found.add(each)
    return (rows[-1].pk if rows else after), len(rows)


def _together(actor: Actor, rows: list[Subscription], now: datetime) -> list[Caught]:
    """As a set; where one of them breaks a rule of the database at this moment, each by itself."""
    try:
        with transaction.atomic():
            return [catch_up(actor=actor, rows=rows, now=now)]
    except (IntegrityError, Busy):
        keys = [row.pk for row in rows]
    return [_alone(actor, row, now) for row in due(now).filter(pk__in=keys).select_related(*RELATED).order_by("pk")]


def _alone(actor: Actor, row: Subscription, now: datetime) -> Caught:
    try:
        with transaction.atomic():
            return catch_up(actor=actor, rows=[row], now=now)
    except (IntegrityError, Busy):
        return Caught(parked=[Advance(row, trouble={"code": Busy.code})])
