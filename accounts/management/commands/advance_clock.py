"""Advance a test clock."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.db import transaction

from accounts.models import ClockStatus, TestClock
from accounts.services.test_clocks import advance_clock, run_advance
from core.commands import AppCommand, first_instant, moment
from core.context import SYSTEM
from core.errors import UsageError


class Command(AppCommand):
    help = (
        "Advance a test clock: everything that would have happened to its organisations meanwhile happens in order."
        " Without --to or --days, a way that was interrupted is gone to its end."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="of the clock")
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--to", type=moment, metavar="MOMENT", help="a day (its midnight) or an instant")
        where.add_argument("--days", type=int, metavar="N", help="so many times 24 hours")
        parser.add_argument("--dry-run", action="store_true", help="do it, count it, undo it")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        clock = TestClock.objects.filter(name=options["name"]).first()
        if clock is None:
            raise UsageError(f"There is no test clock {options['name']!r}.")
        if not options["dry_run"]:
            return self._go(clock, options)
        with transaction.atomic():
            found = self._go(clock, options)
            transaction.set_rollback(True)
        return found

    def _go(self, clock: TestClock, options: dict[str, Any]) -> dict[str, Any]:
        to = first_instant(options["to"])
        if options["days"] is not None:
            to = clock.frozen_time + timedelta(days=options["days"])
        if to is not None:
            found = advance_clock(actor=SYSTEM, clock=clock, to=to)
        elif clock.status == ClockStatus.ADVANCING:
            found = run_advance(actor=SYSTEM, clock=clock)
        else:
            raise UsageError("Say how far: --to or --days.")
        return {"clock": clock.name, **found.as_json()}
