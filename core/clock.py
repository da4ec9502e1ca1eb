"""What time it is for somebody: an organisation may live by a test clock, everybody else by the real one.

Rules of money and time (fees, documents, what is overdue, reminders, quotas, alerts) ask here instead of
``timezone.now()`` and ``core.periods.today()``, with the organisation that they are about. What is about the program
itself (leases, retries of deliveries, ``updated_at``, the audit log) stays with the real time.

Batches work for real organisations only, ``real(rows)``; ``accounts.services.test_clocks`` does the same work for those
of a clock, each thing at its instant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol, TypeVar

from django.db.models import DateField, Model, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from core.context import Actor

Row = TypeVar("Row", bound=Model)


class Clocked(Protocol):
    """An organisation, as far as time goes."""

    def frozen_now(self) -> datetime | None:
        """The instant at which its test clock stands; None: it has none."""


def now_for(organisation: Clocked | None) -> datetime:
    """The instant, in UTC, at which ``organisation`` is (None: somebody without one). One query with a clock."""
    frozen = organisation.frozen_now() if organisation is not None else None
    return frozen or timezone.now()


def today_for(organisation: Clocked | None) -> date:
    """The site's day (``TIME_ZONE``) at that instant, as documents are dated."""
    return timezone.localdate(now_for(organisation), timezone.get_default_timezone())


def real(rows: QuerySet[Row], through: str = "organisation") -> QuerySet[Row]:
    """Without what belongs to organisations with a test clock. ``through`` leads from a row to its organisation
    (``"invoice__organisation"``; empty: the rows are organisations)."""
    return rows.filter(**{f"{_path(through)}test_clock__isnull": True})


def of_tests(rows: QuerySet[Row], through: str = "organisation") -> QuerySet[Row]:
    """Only what belongs to organisations with a test clock."""
    return rows.filter(**{f"{_path(through)}test_clock__isnull": False})


def of(rows: QuerySet[Row], organisations: Sequence[int] | None, through: str = "organisation") -> QuerySet[Row]:
    """What a batch works on: rows of these organisations, or, of None, all real ones."""
    if organisations is None:
        return real(rows, through)
    return rows.filter(**{f"{_path(through)}pk__in": organisations})


def day_is_over(day: str, today: date, through: str = "organisation") -> Q:
    """Rows whose column ``day`` lies before today: before the clock's day where the organisation has one."""
    path = _path(through)
    by_clock: Any = TruncDate(
        f"{path}test_clock__frozen_time", tzinfo=timezone.get_default_timezone(), output_field=DateField()
    )
    return Q(**{f"{path}test_clock__isnull": True, f"{day}__lt": today}) | Q(
        **{f"{path}test_clock__isnull": False, f"{day}__lt": by_clock}
    )


class Step(Protocol):
    """What time does by itself (renewals, invoices of a month, reminders), for ``settings.CLOCK_STEPS``. While a clock
    advances, its instants are those that any step names; at each of them the steps run in the order of the settings."""

    def next(self, organisations: Sequence[int], after: datetime) -> datetime | None:
        """The first instant later than ``after`` at which there is something to do for these; None: nothing yet known.
        It must not depend on how far the clock is to go."""

    def run(self, *, actor: Actor, organisations: Sequence[int], now: datetime) -> Mapping[str, int]:
        """Do what is due at ``now``, where the clock stands. Safe to repeat. Returns counters."""


def _path(through: str) -> str:
    return f"{through}__" if through else ""
