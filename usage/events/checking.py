"""From what was sent to rows: whose it is, whether its numbers and times can be, what it is told apart by."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection
from django.db.models import Q

from accounts.models import ApiKey, Project
from core.clock import now_for
from subscriptions.models import AiModel, Subscription, SubscriptionStatus
from usage.events.meters import Found, values_and_links
from usage.events.rows import EventRow, digest, new_ids
from usage.events.schema import Event, Refused

_VALUE = re.compile(rb'"?([0-9]+(?:[.][0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)"?')
LONGEST_VALUE = 64
_EXACT = Context(prec=400)  # Python's usual 28 digits would round what is checked; an exponent has three at most
LARGEST = Decimal(10) ** 21
PLACES = 9
ENDED = (SubscriptionStatus.PENDING, SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED)
_json = msgspec.json.Encoder(decimal_format="number", order="deterministic")


@dataclass(frozen=True, slots=True)
class Sender:
    """On whose behalf events come. ``project`` is the one of a project's key; without it each event names its own,
    and ``may_write`` tells to which it may. ``username``: whose personal subscriptions events may name; an operator
    (``trusted``) may name anybody's."""

    project: Project | None = None
    api_key: ApiKey | None = None
    username: str = ""
    trusted: bool = False
    may_write: Callable[[Project], bool] = field(default=lambda project: False)


@dataclass(frozen=True, slots=True)
class Clock:
    """How old or how far ahead an event may be when it comes. ``oldest`` None: as old as it likes."""

    now: datetime
    oldest: datetime | None
    newest: datetime
    late_before: datetime

    @classmethod
    def at(cls, now: datetime, *, any_age: bool = False) -> Clock:
        return cls(
            now,
            None if any_age else now - timedelta(days=settings.EVENTS_MAX_AGE_DAYS),
            now + timedelta(seconds=settings.EVENTS_MAX_AHEAD_SECONDS),
            now - timedelta(minutes=settings.EVENTS_LATE_AFTER_MINUTES),
        )


class Checked(NamedTuple):
    row: EventRow
    found: list[Found]
    reservation: UUID | None


class Known:
    """What checks read from the database for events that come together, from one sender or from several: at most five
    queries whatever their number."""

    def __init__(self, events: list[Event], keys: Collection[ApiKey]) -> None:
        self.subscriptions = _subscriptions(events)
        self.restricted = _restricted(events)
        stored = {key.pk: ApiKey._meta.pk.get_db_prep_value(key.pk, connection) for key in keys}
        self.read, bound = values_and_links({event.metric_name for event in events}, list(stored.values()))
        linked = _linked([each for ids in bound.values() for each in ids])
        self._bound = {pk: [linked[each] for each in bound.get(value, ())] for pk, value in stored.items()}

    def bound_to(self, key: ApiKey | None) -> tuple[set[int] | None, Subscription | None]:
        """Subscriptions that the key is bound to (None: to none in particular), and the one, if it is one."""
        linked = self._bound.get(key.pk, []) if key else []
        usable = [each for each in linked if each.status not in ENDED]
        return {each.pk for each in linked} or None, usable[0] if len(usable) == 1 else None


class Checker:
    """Checks events of one sender. What it needs from the database is read at its beginning, if it is not given."""

    def __init__(self, events: Iterable[Event], sender: Sender, clock: Clock, known: Known | None = None) -> None:
        events = list(events)
        self.sender, self.clock = sender, clock
        self.test_clocks: dict[int, Clock] = {}
        self.projects = _projects(events, sender)
        known = known or Known(events, [sender.api_key] if sender.api_key else [])
        self.subscriptions, self.restricted, self.read = known.subscriptions, known.restricted, known.read
        self.linked, self.own = known.bound_to(sender.api_key)
        self.ids = new_ids(len(events))

    def check(self, event: Event) -> Checked | Refused:
        project = self._project(event)
        if isinstance(project, Refused):
            return project
        subscription = self._subscription(event, project)
        if isinstance(subscription, Refused):
            return subscription
        if event.model and (refused := self._model(event.model, subscription)):
            return refused
        value = value_of(bytes(event.metric_value))
        if isinstance(value, Refused):
            return value
        if refused := _parts(event) or self._moment(event.timestamp, self._clock(project)):
            return refused
        metadata = _facts(event)
        text = _json.encode(metadata) if metadata else b"{}"
        if refused := _metadata(text):
            return refused
        return self._row(event, project, subscription, value, metadata, text.decode())

    def _row(
        self, event: Event, project: Project, subscription: Subscription | None, value: Decimal,
        metadata: dict[str, Any], text: str,
    ) -> Checked:  # fmt: skip
        moment = event.timestamp.astimezone(UTC)
        key = self.sender.api_key
        subscription_id = subscription.pk if subscription else None
        tokens = event.request_tokens, event.response_tokens, event.cached_tokens, event.reasoning_tokens
        told_apart_by = digest(
            event.metric_name, value, event.unit, moment, text, subscription_id, event.model, *tokens,
            event.latency_ms, event.status_code,
        )  # fmt: skip
        row = EventRow(
            self.ids.pop(), project.organisation_id, project.pk, subscription_id, key.pk if key else None,
            event.metric_name, value, event.unit, moment, event.idempotency_key, told_apart_by, text,
            event.model, *tokens, event.latency_ms, event.status_code, moment < self._clock(project).late_before,
            project.organisation.time_zone,
        )  # fmt: skip
        return Checked(row, list(self.read(event.metric_name, value, metadata)), event.reservation)

    def _project(self, event: Event) -> Project | Refused:
        own = self.sender.project
        if own is not None:
            if event.project not in (None, own.uuid):
                return Refused("unknown_project", "this key sends events of its own project alone", "project")
            return own
        if event.project is None:
            return Refused("unknown_project", "name the project: nothing else says which it is", "project")
        found = self.projects.get(event.project)
        if found is None:
            return Refused("unknown_project", "there is no such project", "project")
        return found

    def _subscription(self, event: Event, project: Project) -> Subscription | Refused | None:
        if event.subscription is None:
            return self.own
        found = self.subscriptions.get(event.subscription)
        if found is None or not self._may_use(found, project):
            return Refused("unknown_subscription", "there is no such subscription", "subscription")
        if found.status in ENDED and not (found.end_at and event.timestamp < found.end_at):
            return Refused("subscription_ended", f"the subscription is {found.status}", "subscription")
        return found

    def _may_use(self, found: Subscription, project: Project) -> bool:
        """A key that is bound may use what it is bound to; others those of the project's organisation, and a person
        the own ones."""
        if self.linked is not None:
            return found.pk in self.linked and found.organisation_id in (None, project.organisation_id)
        if self.sender.trusted:
            return found.organisation_id in (None, project.organisation_id)
        if found.user_id and found.user_id == self.sender.username:
            return found.organisation_id in (None, project.organisation_id)
        return found.organisation_id == project.organisation_id

    def _model(self, name: str, subscription: Subscription | None) -> Refused | None:
        if name in self.restricted and (subscription is None or subscription.plan.ai_model_id != name):
            return Refused("model_restricted", "this model is open only through a subscription that names it", "model")
        return None

    def _clock(self, project: Project) -> Clock:
        """Of the site, or of the test clock of the project's organisation."""
        number = project.organisation.test_clock_id
        if number is None:
            return self.clock
        if number not in self.test_clocks:
            any_age = self.clock.oldest is None
            self.test_clocks[number] = Clock.at(now_for(project.organisation), any_age=any_age)
        return self.test_clocks[number]

    def _moment(self, moment: datetime, clock: Clock) -> Refused | None:
        if moment > clock.newest:
            return Refused("in_the_future", f"later than {clock.newest:%Y-%m-%dT%H:%M:%SZ}", "timestamp")
        if clock.oldest is not None and moment < clock.oldest:
            return Refused("too_old", f"before {clock.oldest:%Y-%m-%dT%H:%M:%SZ}", "timestamp")
        if moment.year < EARLIEST_YEAR:
            return Refused("too_old", f"before the year {EARLIEST_YEAR}", "timestamp")
        return None


EARLIEST_YEAR = 2000


@lru_cache(maxsize=4096)  # most events are worth 1, or another of few values
def value_of(raw: bytes) -> Decimal | Refused:
    """A JSON number or decimal text: 0 or more, up to 21 digits before the point and 9 behind it; without noughts at
    its end."""
    match = _VALUE.fullmatch(raw) if len(raw) <= LONGEST_VALUE else None
    if not match or (raw[:1] == b'"') != (raw[-1:] == b'"'):
        return Refused("bad_value", "a number of 0 or more, or such a number as text", "metric_value")
    value = _EXACT.normalize(Decimal(match[1].decode()))
    if value >= LARGEST:
        return Refused("bad_value", "at most 21 digits before the point", "metric_value")
    if value.as_tuple().exponent < -PLACES:  # type: ignore[operator]  # a number has one
        return Refused("bad_value", f"at most {PLACES} digits behind the point", "metric_value")
    return value


def _parts(event: Event) -> Refused | None:
    if not (event.cached_tokens or event.reasoning_tokens):
        return None
    for part, whole in (("cached_tokens", "request_tokens"), ("reasoning_tokens", "response_tokens")):
        if (getattr(event, part) or 0) > (getattr(event, whole) or 0):
            return Refused("invalid", f"they are part of {whole}", part)
    return None


def _facts(event: Event) -> dict[str, Any]:
    metadata = event.metadata or {}
    return {**metadata, "error_message": event.error_message} if event.error_message else metadata


def _metadata(text: bytes) -> Refused | None:
    if len(text) > settings.EVENTS_MAX_METADATA_BYTES:
        return Refused("metadata_too_large", f"at most {settings.EVENTS_MAX_METADATA_BYTES} bytes", "metadata")
    if b"\\u0000" in text:
        return Refused("invalid", "a text must not hold the character U+0000", "metadata")
    return None


def _projects(events: list[Event], sender: Sender) -> dict[UUID, Project]:
    wanted = {event.project for event in events if event.project}
    if sender.project is not None or not wanted:
        return {}
    active = Project.objects.filter(uuid__in=wanted, is_active=True, organisation__is_active=True)
    return {each.uuid: each for each in active.select_related("organisation") if sender.may_write(each)}


def _subscriptions(events: list[Event]) -> dict[UUID, Subscription]:
    wanted = {event.subscription for event in events if event.subscription}
    if not wanted:
        return {}
    return {each.uuid: each for each in Subscription.objects.filter(uuid__in=wanted).select_related("plan")}


def _linked(ids: list[int]) -> dict[int, Subscription]:
    return Subscription.objects.select_related("plan").in_bulk(ids) if ids else {}


def _restricted(events: list[Event]) -> set[str]:
    wanted = {event.model for event in events if event.model}
    if not wanted:
        return set()
    return set(AiModel.objects.filter(Q(restricted=True), pk__in=wanted).values_list("pk", flat=True))
