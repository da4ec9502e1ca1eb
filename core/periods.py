"""Days and months of the site's own time zone as half-open UTC windows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone


@dataclass(frozen=True, slots=True)
class Window:
    """``start <= t < end``; either side may be open (None)."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        return (self.start is None or self.start <= moment) and (self.end is None or moment < self.end)


def day_start(day: date, zone: ZoneInfo | None = None) -> datetime:
    """First instant of ``day`` in ``zone`` (default: the site's), in UTC."""
    return datetime.combine(day, time.min, zone or timezone.get_default_timezone()).astimezone(UTC)


def days_window(first: date | None, last: date | None) -> Window:
    """Window of whole days, both named days included."""
    return Window(
        day_start(first) if first else None,
        day_start(last + timedelta(days=1)) if last else None,
    )


def today() -> date:
    return timezone.localdate(timezone=timezone.get_default_timezone())


def month_start(day: date) -> date:
    return day.replace(day=1)


def next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def previous_month(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def fiscal_year(day: date, first_month: int) -> int:
    """The year in which the fiscal year of ``day`` ends: 2027 for October 2026 when it begins in October."""
    return day.year + (first_month > 1 and day.month >= first_month)


def fiscal_year_start(day: date, first_month: int) -> date:
    """First day of the fiscal year that holds ``day``."""
    return date(day.year - (day.month < first_month), first_month, 1)


def month_end(day: date) -> date:
    """Last day of the month of ``day``."""
    return next_month(day) - timedelta(days=1)


def month_window(month: date) -> Window:
    """The instants of a month of the site."""
    return Window(day_start(month_start(month)), day_start(next_month(month)))


def period_start(kind: str, moment: datetime, zone: ZoneInfo) -> datetime:
    """Where the ``hour``, ``day``, ``week`` (from Monday) or ``month`` of ``moment`` begins in ``zone``, in UTC.

    An hour of a clock that is set back is the one of the two that ``moment`` lies in.
    """
    local = moment.astimezone(zone)
    if kind == "hour":
        past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return moment.astimezone(UTC) - past
    day = local.date()
    if kind == "week":
        day -= timedelta(days=day.weekday())
    elif kind == "month":
        day = day.replace(day=1)
    return day_start(day, zone)
