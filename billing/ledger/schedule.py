"""Fees of quarters and years are earned month by month: by days, nothing lost. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.invoicing.sums import spread
from core.periods import month_end, month_start, next_month

LONG_CYCLES = ("quarterly", "yearly")


def months_of(start: datetime, end: datetime, zone: ZoneInfo) -> list[tuple[date, int]]:
    """The months (first days) of a period in the customer's zone, each with how many of its days belong to it."""
    first, last = start.astimezone(zone).date(), (end - timedelta(microseconds=1)).astimezone(zone).date()
    found, day = [], first
    while day <= last:
        until = min(month_end(day), last)
        found.append((month_start(day), (until - day).days + 1))
        day = next_month(day)
    return found


def shares(
    amount: Decimal, start: datetime, end: datetime, zone: ZoneInfo, decimals: int
) -> list[tuple[date, Decimal]]:
    """``amount`` over the months of the period in proportion to their days, to the minor unit; what rounding down
    leaves goes to the largest remainders."""
    months = months_of(start, end, zone)
    sign = -1 if amount < 0 else 1
    parts = spread(abs(amount), [Decimal(days) for _month, days in months], decimals)
    return [(month, sign * part) for (month, _days), part in zip(months, parts, strict=True)]


def earned_on(month: date, issued: date) -> date:
    """The day on which the share of a month is earned: its last one; what was over at issue, with the document."""
    return max(month_end(month), issued)
