"""Hours, days, weeks and months as half-open UTC windows of a time zone, exact over changes of its clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from core.periods import day_start, month_start, next_month, period_start, previous_month
from usage.models import AlertPeriod

HOUR, DAY, WEEK, MONTH = AlertPeriod.HOUR, AlertPeriod.DAY, AlertPeriod.WEEK, AlertPeriod.MONTH
ORDER = (HOUR, DAY, WEEK, MONTH)
_ONE_HOUR, _ONE_DAY, _ONE_WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Stretch:
    """``start <= t < end``, in UTC: one hour, day, week or month of ``zone``."""

    period: str
    start: datetime
    end: datetime
    zone: ZoneInfo

    @property
    def day(self) -> date:
        """The local day on which it begins."""
        return self.start.astimezone(self.zone).date()


def window_of(period: str, moment: datetime, zone: ZoneInfo) -> Stretch:
    """The window that holds ``moment``. An hour is 60 minutes from a full hour of the local clock, also where the clock
    is set back and shows that hour twice; a day has 23 or 25 of them then; a week begins on Monday."""
    if period == HOUR:
        start = period_start(HOUR.value, moment, zone)
        return Stretch(HOUR.value, start, start + _ONE_HOUR, zone)
    return _of_day(period, moment.astimezone(zone).date(), zone)


def _of_day(period: str, day: date, zone: ZoneInfo) -> Stretch:
    """The day, week or month that holds a local day."""
    if period == DAY:
        first, last = day, day + _ONE_DAY
    elif period == WEEK:
        first = day - timedelta(days=day.weekday())
        last = first + _ONE_WEEK
    else:
        first, last = month_start(day), next_month(day)
    return Stretch(str(period), day_start(first, zone), day_start(last, zone), zone)


def before(window: Stretch, number: int = 1) -> Stretch:
    """The window of the same kind that lies ``number`` windows earlier."""
    if window.period == HOUR:
        return window_of(HOUR, window.start - number * _ONE_HOUR, window.zone)
    day = window.day
    for _ in range(number):
        day = (
            previous_month(day) if window.period == MONTH else day - (_ONE_WEEK if window.period == WEEK else _ONE_DAY)
        )
    return _of_day(window.period, day, window.zone)


def alike_before(window: Stretch, number: int) -> list[Stretch]:
    """The last ``number`` windows that one would compare this one with, the latest first: the same hour of the days
    before, the same day of the weeks before, the weeks or the months before."""
    if window.period == HOUR:
        local = window.start.astimezone(window.zone)
        return [
            window_of(HOUR, (local - step * _ONE_DAY).astimezone(UTC), window.zone) for step in range(1, number + 1)
        ]
    steps = 7 if window.period == DAY else 1
    return [before(window, step * steps) for step in range(1, number + 1)]


def share_of(period: str, longer: Stretch) -> Decimal:
    """How many windows of ``period`` lie in a longer one: 23 to 25 hours in a day, 28 to 31 days in a month."""
    if period == longer.period:
        return Decimal(1)
    if period == HOUR:
        return Decimal(int((longer.end - longer.start) / _ONE_HOUR))
    days = Decimal((longer.end.astimezone(longer.zone).date() - longer.day).days)
    return days if period == DAY else days / 7
