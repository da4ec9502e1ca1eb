"""Test clocks: made, bound to organisations that have no past, and advanced from instant to instant.

What happens at an instant is said by the steps of ``settings.CLOCK_STEPS``; their next instants do not depend on how
far the clock is to go, so one long advance and many short ones come to the same documents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import CLOCK_TRANSITIONS, BillingMode, ClockStatus, Organisation, TestClock
from accounts.services.organisations import lock_organisation
from audit import services as audit
from core.clock import Step
from core.context import Actor
from core.database.locks import run_lock
from core.errors import AppError, BadInput, Conflict
from core.registry import load
from core.states import transition

YEARS = range(2000, 2100)
LONGEST = timedelta(days=366)  # of one advance
AT_ONCE = timedelta(days=31)  # what an answer may wait for; longer ones are long work

Tell = Callable[[int, int, str], None]


class ClocksOff(Conflict):
    """This site has no test clocks (``TEST_CLOCKS``)."""

    code = "test_clocks_off"


class HasPast(Conflict):
    """Something was counted, charged or billed for it: it belongs to real time for good."""

    code = "organisation_has_past"


class Advancing(Conflict):
    """The clock is on its way somewhere."""

    code = "clock_advancing"


@dataclass(slots=True)
class Advanced:
    """``instants`` it stood still at, the steps' own counters by step, and where it stands."""

    frozen_time: datetime
    instants: int = 0
    done: dict[str, Counter[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        done = {name: {key: value for key, value in counts.items() if value} for name, counts in self.done.items()}
        return {
            "frozen_time": self.frozen_time.isoformat(), "instants": self.instants,
            "done": {name: counts for name, counts in done.items() if counts},
        }  # fmt: skip


def clocks_allowed() -> bool:
    return bool(settings.TEST_CLOCKS)


def _need_allowed() -> None:
    if not clocks_allowed():
        raise ClocksOff(_("Test clocks are switched off on this site."))


@transaction.atomic
def create_clock(*, actor: Actor, name: str, frozen_time: datetime) -> TestClock:
    """A clock that stands at ``frozen_time``, whole seconds. Raises ``BadInput``, ``ClocksOff``."""
    _need_allowed()
    clock = TestClock(name=name.strip(), frozen_time=_moment(frozen_time, "frozen_time"), created_by=actor.name)
    try:
        clock.full_clean()
        with transaction.atomic():
            clock.save(force_insert=True)
    except ValidationError as error:
        where, messages = next(iter(error.message_dict.items()))
        raise BadInput(messages[0], field=where) from error
    except IntegrityError as error:
        raise BadInput(_("This name is taken."), field="name") from error
    audit.record(
        actor=actor, action="test_clock_create", target=str(clock), entity=clock,
        extra={"frozen_time": clock.frozen_time},
    )  # fmt: skip
    return clock


@transaction.atomic
def bind_organisation(*, actor: Actor, clock: TestClock, organisation: Organisation) -> bool:
    """From now on, and for good, ``organisation`` lives by ``clock`` and is billed by invoices, all of them tests.

    False when it did so before. Raises ``HasPast`` for one that anything was counted or billed for, or that has another
    clock, ``Advancing``, ``ClocksOff``.
    """
    _need_allowed()
    lock_organisation(organisation)
    held = Organisation.objects.select_for_update(of=("self",)).get(pk=organisation.pk)
    if held.test_clock_id == clock.pk:
        organisation.refresh_from_db()
        return False
    if held.test_clock_id is not None:
        raise HasPast(_("%(name)s has another test clock; that stands.") % {"name": held})
    if any(load("ORGANISATION_PASTS", key)(held) for key in settings.ORGANISATION_PASTS):
        raise HasPast(_("%(name)s has a past in real time; take one that nothing was counted for.") % {"name": held})
    standing = TestClock.objects.select_for_update().get(pk=clock.pk)
    if standing.status == ClockStatus.ADVANCING:
        raise Advancing(_("The clock is advancing; wait until it stands."))
    before = held.billing_mode
    Organisation.objects.filter(pk=held.pk).update(
        test_clock=clock, billing_mode=BillingMode.INVOICES, updated_at=timezone.now()
    )
    organisation.refresh_from_db()
    audit.record(
        actor=actor, action="test_clock_bind", target=str(organisation), entity=organisation,
        changes={"test_clock": [None, str(clock)], "billing_mode": [before, organisation.billing_mode]},
    )  # fmt: skip
    return True


def begin_advance(*, actor: Actor, clock: TestClock, to: datetime) -> TestClock:
    """Say where the clock goes; ``run_advance`` moves it. Saying the same again is no error.

    Raises ``BadInput`` for a time that is not later, or further than ``LONGEST``; ``Advancing``; ``ClocksOff``.
    """
    _need_allowed()
    to = _moment(to, "to")
    with transaction.atomic():
        held = TestClock.objects.select_for_update().get(pk=clock.pk)
        if held.status == ClockStatus.ADVANCING:
            if held.target_time != to:
                raise Advancing(_("The clock is advancing; wait until it stands."))
            clock.refresh_from_db()
            return clock
        if to <= held.frozen_time:
            raise BadInput(_("A clock only goes forward."), field="to")
        if to - held.frozen_time > LONGEST:
            raise BadInput(_("At most %(days)d days at once.") % {"days": LONGEST.days}, field="to")
        transition(clock, ClockStatus.ADVANCING, table=CLOCK_TRANSITIONS, target_time=to, failure="")
        audit.record(
            actor=actor, action="test_clock_advance", target=str(clock), entity=clock,
            changes={"frozen_time": [clock.frozen_time, to]},
        )  # fmt: skip
    return clock


def run_advance(*, actor: Actor, clock: TestClock, tell: Tell | None = None) -> Advanced:
    """Move a clock that is advancing to where it goes, with all that happens on the way; go on where it stands.

    What is done at an instant stays done when a later one fails: the clock then stands there, ``failed``, and says why.
    Raises ``Busy`` while somebody else moves it, and whatever stopped it.
    """
    with run_lock(f"test clock {clock.pk}"):
        clock.refresh_from_db()
        if clock.status != ClockStatus.ADVANCING or clock.target_time is None:
            return Advanced(clock.frozen_time)
        try:
            found = _walk(actor, clock, clock.target_time, tell)
        except (AppError, DatabaseError, ValueError, ArithmeticError) as error:
            why = error.message if isinstance(error, AppError) else f"{type(error).__name__}: {error}"
            transition(clock, ClockStatus.FAILED, table=CLOCK_TRANSITIONS, target_time=None, failure=why[:500])
            raise
        transition(clock, ClockStatus.READY, table=CLOCK_TRANSITIONS, target_time=None)
    return found


def advance_clock(*, actor: Actor, clock: TestClock, to: datetime, tell: Tell | None = None) -> Advanced:
    """``begin_advance`` and ``run_advance``."""
    begin_advance(actor=actor, clock=clock, to=to)
    return run_advance(actor=actor, clock=clock, tell=tell)


def _walk(actor: Actor, clock: TestClock, target: datetime, tell: Tell | None) -> Advanced:
    steps: dict[str, Step] = {name: load("CLOCK_STEPS", name) for name in settings.CLOCK_STEPS}
    keys = list(Organisation.objects.filter(test_clock=clock).order_by("pk").values_list("pk", flat=True))
    began, found = clock.frozen_time, Advanced(clock.frozen_time)
    whole = max(int((target - began).total_seconds()), 1)
    _stand(actor, steps, keys, found)  # what was left of the last time, or became due since
    while found.frozen_time < target:
        moment = _next(steps, keys, found.frozen_time, target)
        moved = TestClock.objects.filter(pk=clock.pk, status=ClockStatus.ADVANCING, frozen_time=found.frozen_time)
        if not moved.update(frozen_time=moment, updated_at=timezone.now()):
            raise Advancing(_("Somebody else moves this clock at this moment."))
        found.frozen_time = moment
        _stand(actor, steps, keys, found)
        if tell is not None:
            tell(int((moment - began).total_seconds()) * 100 // whole, 100, f"{moment:%Y-%m-%d %H:%M} UTC")
    return found


def _next(steps: dict[str, Step], keys: Sequence[int], after: datetime, target: datetime) -> datetime:
    wanted = [moment for step in steps.values() if keys and (moment := step.next(keys, after)) is not None]
    return min([each for each in wanted if each > after] + [target])


def _stand(actor: Actor, steps: dict[str, Step], keys: Sequence[int], found: Advanced) -> None:
    """Everything that happens at one instant, in the order of the settings."""
    if not keys:
        return
    found.instants += 1
    for name, step in steps.items():
        found.done.setdefault(name, Counter()).update(step.run(actor=actor, organisations=keys, now=found.frozen_time))


def _moment(value: datetime, name: str) -> datetime:
    if value.tzinfo is None:
        raise BadInput(_("Write a time with its zone, as 2026-12-01T00:00:00+07:00."), field=name)
    found = value.astimezone(UTC).replace(microsecond=0)
    if found.year not in YEARS:
        words = _("A time from %(first)d to %(last)d is wanted.")
        raise BadInput(words % {"first": YEARS[0], "last": YEARS[-1]}, field=name)
    return found
