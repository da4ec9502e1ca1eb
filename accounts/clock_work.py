"""A long way of a test clock, as long work."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import ClockStatus, TestClock, Work
from accounts.services.test_clocks import AT_ONCE, begin_advance, run_advance
from accounts.services.work import Kind, Outcome, Report, start_work
from core.context import Actor
from core.errors import BadInput


def _advance(work: Work, report: Report) -> Outcome:
    """Safe to repeat: it goes on from where the clock stands."""
    clock = TestClock.objects.filter(pk=work.parameters["clock"]).first()
    if clock is None:
        raise BadInput(_("There is no such test clock."))
    found = run_advance(actor=Actor(str(work.owner_id)), clock=clock, tell=report)
    counts = {name: number for done in found.done.values() for name, number in done.items() if number}
    return Outcome({"instants": found.instants, **counts})


def send(*, actor: Actor, clock: TestClock, to: datetime) -> bool:
    """Advance it: at once where that is not far (True: it stands there), else as long work. Raises what
    ``begin_advance`` and ``run_advance`` raise."""
    far, fresh = to - clock.frozen_time > AT_ONCE, clock.status != ClockStatus.ADVANCING
    begin_advance(actor=actor, clock=clock, to=to)
    if not far:
        run_advance(actor=actor, clock=clock)
    elif fresh:
        parameters = {"clock": clock.pk, "name": clock.name, "to": f"{clock.target_time:%Y-%m-%d %H:%M} UTC"}
        start_work(actor=actor, kind="advance_clock", title=clock.name, parameters=parameters)
    return not far


def _title(work: Work) -> str:
    words = _("Test clock %(name)s to %(moment)s")
    return words % {"name": work.parameters["name"], "moment": work.parameters["to"]}


ADVANCE = Kind(gettext_lazy("advance of a test clock"), _advance, title=_title)
