"""Single events of many callers, taken in together: one look at their keys, one statement, one commit for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from accounts.models import ApiKey, Scope
from accounts.services.api_keys import find_keys, note_use
from core.database.grouping import Groups
from usage.events.checking import Checked, Checker, Clock, Known, Sender
from usage.events.schema import Event, Refused
from usage.services.events import Verdict, keep


@dataclass(frozen=True, slots=True)
class Single:
    """An event as it came, and the digest of the key that came with it."""

    digest: str
    event: Event


@dataclass(frozen=True, slots=True)
class Answered:
    key: ApiKey
    verdict: Verdict


def take_singles(singles: Sequence[Single], now: datetime | None = None) -> list[Answered | None]:
    """Store what is right of them with its aggregates, in one statement; it is durable when this returns.

    None: not a project's key that works at this moment and may send events; nothing was stored for it, and the usual
    way says what is wrong. One that is rejected keeps none of the others back. Raises for trouble of the store; then
    nothing was kept, or, when the connection broke at the commit, nobody knows.
    """
    keys = {digest: key for digest, key in find_keys({each.digest for each in singles}).items() if _may_send(key)}
    for key in keys.values():
        note_use(key)
    mine = [each for each in singles if each.digest in keys]
    known = Known([each.event for each in mine], keys.values())
    clock = Clock.at(now or timezone.now())
    verdicts = iter(keep([_check(each.event, keys[each.digest], known, clock) for each in mine]))
    return [Answered(keys[each.digest], next(verdicts)) if each.digest in keys else None for each in singles]


def _may_send(key: ApiKey) -> bool:
    """With ``admin:*`` a key is no project's."""
    return key.project_id is not None and Scope.EVENTS_WRITE in key.scopes


def _check(event: Event, key: ApiKey, known: Known, clock: Clock) -> Checked | Refused:
    return Checker([event], Sender(project=key.project, api_key=key), clock, known).check(event)


# Of this process: however many threads serve, one of them is at the database with single events.
groups: Groups[Single, Answered | None] = Groups(take_singles)
