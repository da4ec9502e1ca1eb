"""The calendar of fees: anchored periods, and parts of them. Pure; what a day is comes with the time zone.

A period is whole local days, its last day not among them: it runs from the first instant of its first day to the first
instant of the next period's. Its anchor is a day of the month. A month that is too short for it ends it on its last
day, and the anchor comes back after that: 31 January, 28 February, 31 March.

Conventions of a part of a period (``convention``):

- ``day``: local days. The day on which the part begins counts, the day on which it ends does not, so the day of a
  change of plans belongs to the new plan as a whole. A day counts as one, be it 23 or 25 hours long.
- ``second``: whole seconds that really pass, so that a day on which the clocks change is 23 or 25 hours. Parts of a
  second belong to what was before.
- ``none``: no part is ever charged or given back.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

from core.money import places, quantize

MONTHS = {"monthly": 1, "quarterly": 3, "yearly": 12}
NONE, DAY, SECOND = "none", "day", "second"
CONVENTIONS = (NONE, DAY, SECOND)
LAST_ANCHOR = 31
_MONTHS_A_YEAR = 12
_DIGITS = 60
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Local days; ``end`` is the first one after it."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Span:
    """Instants in UTC; ``start <= t < end``."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """``units`` of the ``whole`` period, counted in ``unit`` (a convention)."""

    units: int
    whole: int
    unit: str


def period(anchor_day: int, start: date, cycle: str, n: int) -> Period:
    """The period ``n`` (from 0) of those that begin on ``start``.

    A start that is not on the anchor makes the first period shorter, by less than a month. Raises ``ValueError``.
    """
    if cycle not in MONTHS:
        raise ValueError(f"no billing cycle: {cycle!r}")
    if not 1 <= anchor_day <= LAST_ANCHOR or n < 0:
        raise ValueError(f"no anchor or number of a period: {anchor_day}, {n}")
    return Period(_boundary(anchor_day, start, MONTHS[cycle], n), _boundary(anchor_day, start, MONTHS[cycle], n + 1))


def on_anchor(anchor_day: int, day: date) -> bool:
    """Whether a period may begin on ``day``."""
    return day == _months_on(day, 0, anchor_day)


def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """Where ``day`` begins in ``zone``, in UTC: after the gap where midnight is skipped, at the first of two."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def span(days: Period, zone: ZoneInfo) -> Span:
    return Span(first_instant(days.start, zone), first_instant(days.end, zone))


def rest(convention: str, within: Span, moment: datetime, zone: ZoneInfo) -> Part:
    """What is left of a period at ``moment``."""
    return part(convention, within, Span(moment, within.end), zone)


def part(convention: str, within: Span, of: Span, zone: ZoneInfo) -> Part:
    """How much of a period the stretch ``of`` is, as far as it lies within it."""
    begin = min(max(of.start, within.start), within.end)
    until = min(max(of.end, begin), within.end)
    if convention == NONE:
        return Part(0, 1, NONE)
    if convention == DAY:
        days = [local_day(each, zone) for each in (within.start, begin, until, within.end)]
        return Part((days[2] - days[1]).days, (days[3] - days[0]).days, DAY)
    if convention == SECOND:
        seconds = [(each.astimezone(UTC) - within.start.astimezone(UTC)) // _SECOND for each in (begin, until)]
        return Part(seconds[1] - seconds[0], (within.end.astimezone(UTC) - within.start.astimezone(UTC)) // _SECOND,
                    SECOND)  # fmt: skip
    raise ValueError(f"no convention of proration: {convention!r}")


def begins(convention: str, within: Span, moment: datetime, zone: ZoneInfo) -> datetime:
    """The instant from which ``rest`` counts."""
    if convention == SECOND:
        return moment.astimezone(UTC).replace(microsecond=0)
    return max(within.start, first_instant(local_day(moment, zone), zone))


def whole(fee: Decimal, currency: str) -> Decimal:
    """The fee of a whole period, at the places of its currency."""
    return quantize(fee, places(currency))


def share(fee: Decimal, currency: str, of: Part) -> Decimal:
    """The fee of a part, rounded once."""
    with localcontext(prec=_DIGITS):
        return quantize(fee * of.units / of.whole, places(currency))


def _boundary(anchor_day: int, start: date, step: int, n: int) -> date:
    if n == 0:
        return start
    if on_anchor(anchor_day, start):
        return _months_on(start, n * step, anchor_day)
    return _months_on(_first_end(anchor_day, start, step), (n - 1) * step, anchor_day)


def _first_end(anchor_day: int, start: date, step: int) -> date:
    """The last anchor day within one cycle of a start that is not on it."""
    latest = _months_on(start, step, start.day)
    found = _months_on(latest, 0, anchor_day)
    return found if found <= latest else _months_on(latest, -1, anchor_day)


def _months_on(day: date, months: int, wanted: int) -> date:
    """The day ``wanted`` of the month that many months on, or its last one."""
    year, month = divmod(day.year * _MONTHS_A_YEAR + day.month - 1 + months, _MONTHS_A_YEAR)
    return date(year, month + 1, min(wanted, monthrange(year, month + 1)[1]))
