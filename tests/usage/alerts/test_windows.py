"""Windows of alerts against a calendar that was written by hand: UTC begin and end of each."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from usage.alerts.windows import alike_before, before, share_of, window_of

BANGKOK, NEW_YORK, KOLKATA = "Asia/Bangkok", "America/New_York", "Asia/Kolkata"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + ":00+00:00")


# zone, period, a moment in UTC, the window in UTC
CALENDAR = [
    # Bangkok: UTC+7 all year; its day begins at 17:00 UTC of the day before
    (BANGKOK, "hour", "2026-11-20T05:59", "2026-11-20T05:00", "2026-11-20T06:00"),
    (BANGKOK, "hour", "2026-11-20T06:00", "2026-11-20T06:00", "2026-11-20T07:00"),
    (BANGKOK, "day", "2026-11-20T16:59", "2026-11-19T17:00", "2026-11-20T17:00"),
    (BANGKOK, "day", "2026-11-20T17:00", "2026-11-20T17:00", "2026-11-21T17:00"),
    # 20 Nov 2026 is a Friday; its week begins on Monday the 16th
    (BANGKOK, "week", "2026-11-20T05:00", "2026-11-15T17:00", "2026-11-22T17:00"),
    (BANGKOK, "week", "2026-11-22T16:59", "2026-11-15T17:00", "2026-11-22T17:00"),
    (BANGKOK, "week", "2026-11-22T17:00", "2026-11-22T17:00", "2026-11-29T17:00"),
    (BANGKOK, "month", "2026-11-20T05:00", "2026-10-31T17:00", "2026-11-30T17:00"),
    (BANGKOK, "month", "2026-10-31T16:59", "2026-09-30T17:00", "2026-10-31T17:00"),
    (BANGKOK, "month", "2026-10-31T17:00", "2026-10-31T17:00", "2026-11-30T17:00"),
    (BANGKOK, "month", "2026-12-31T17:00", "2026-12-31T17:00", "2027-01-31T17:00"),
    (BANGKOK, "month", "2028-02-28T17:00", "2028-01-31T17:00", "2028-02-29T17:00"),  # a leap year
    # New York, 8 Mar 2026: 02:00 EST becomes 03:00 EDT; the day has 23 hours
    (NEW_YORK, "day", "2026-03-08T05:00", "2026-03-08T05:00", "2026-03-09T04:00"),
    (NEW_YORK, "day", "2026-03-09T03:59", "2026-03-08T05:00", "2026-03-09T04:00"),
    (NEW_YORK, "hour", "2026-03-08T06:30", "2026-03-08T06:00", "2026-03-08T07:00"),  # 01:30 EST
    (NEW_YORK, "hour", "2026-03-08T07:30", "2026-03-08T07:00", "2026-03-08T08:00"),  # 03:30 EDT
    (NEW_YORK, "week", "2026-03-08T12:00", "2026-03-02T05:00", "2026-03-09T04:00"),  # 167 hours
    (NEW_YORK, "month", "2026-03-20T12:00", "2026-03-01T05:00", "2026-04-01T04:00"),
    # New York, 1 Nov 2026: 02:00 EDT becomes 01:00 EST; the day has 25 hours, 01:30 comes twice
    (NEW_YORK, "day", "2026-11-01T12:00", "2026-11-01T04:00", "2026-11-02T05:00"),
    (NEW_YORK, "hour", "2026-11-01T05:30", "2026-11-01T05:00", "2026-11-01T06:00"),  # 01:30 EDT
    (NEW_YORK, "hour", "2026-11-01T06:30", "2026-11-01T06:00", "2026-11-01T07:00"),  # 01:30 EST
    (NEW_YORK, "week", "2026-11-01T12:00", "2026-10-26T04:00", "2026-11-02T05:00"),  # 169 hours
    (NEW_YORK, "month", "2026-11-01T04:30", "2026-11-01T04:00", "2026-12-01T05:00"),
    # Kolkata: UTC+5:30, so that its hours begin at half past
    (KOLKATA, "hour", "2026-11-20T05:29", "2026-11-20T04:30", "2026-11-20T05:30"),
    (KOLKATA, "hour", "2026-11-20T05:30", "2026-11-20T05:30", "2026-11-20T06:30"),
    (KOLKATA, "day", "2026-11-20T18:30", "2026-11-20T18:30", "2026-11-21T18:30"),
    (KOLKATA, "week", "2026-11-20T00:00", "2026-11-15T18:30", "2026-11-22T18:30"),
    (KOLKATA, "month", "2026-02-28T18:29", "2026-01-31T18:30", "2026-02-28T18:30"),
    (KOLKATA, "month", "2026-02-28T18:30", "2026-02-28T18:30", "2026-03-31T18:30"),
]


@pytest.mark.parametrize(("zone", "period", "moment", "start", "end"), CALENDAR)
def test_a_window_is_that_of_the_calendar(zone: str, period: str, moment: str, start: str, end: str) -> None:
    window = window_of(period, at(moment), ZoneInfo(zone))
    assert (window.start, window.end) == (at(start), at(end))
    assert window_of(period, window.start, ZoneInfo(zone)) == window


@pytest.mark.parametrize("zone", [BANGKOK, NEW_YORK, KOLKATA, "Europe/Berlin", "Asia/Beirut", "Pacific/Apia"])
@pytest.mark.parametrize("period", ["hour", "day", "week", "month"])
def test_windows_follow_each_other_without_gap_or_overlap(zone: str, period: str) -> None:
    for moment in ("2026-03-30T12:00", "2026-11-03T12:00", "2026-01-01T00:00"):
        window = window_of(period, at(moment), ZoneInfo(zone))
        for number in range(1, 30):
            earlier = before(window)
            assert earlier.end == window.start
            assert earlier == before(window_of(period, at(moment), ZoneInfo(zone)), number)
            window = earlier


def test_the_windows_alike_are_the_same_hour_of_days_and_the_same_day_of_weeks() -> None:
    zone = ZoneInfo(NEW_YORK)
    nine = window_of("hour", at("2026-11-02T14:30"), zone)  # Monday 09:30 EST, the day after the change
    assert [window.start for window in alike_before(nine, 3)] == [
        at("2026-11-01T14:00"), at("2026-10-31T13:00"), at("2026-10-30T13:00"),
    ]  # fmt: skip
    monday = window_of("day", at("2026-11-02T14:30"), zone)
    assert [window.start for window in alike_before(monday, 2)] == [at("2026-10-26T04:00"), at("2026-10-19T04:00")]
    november = window_of("month", at("2026-11-02T14:30"), zone)
    assert [window.start for window in alike_before(november, 2)] == [at("2026-10-01T04:00"), at("2026-09-01T04:00")]


@pytest.mark.parametrize(
    ("period", "longer", "moment", "number"),
    [
        ("hour", "day", "2026-03-08T12:00", 23), ("hour", "day", "2026-11-01T12:00", 25),
        ("hour", "day", "2026-11-20T12:00", 24), ("day", "week", "2026-11-01T12:00", 7),
        ("day", "month", "2026-02-10T12:00", 28), ("day", "month", "2026-11-10T12:00", 30),
        ("week", "month", "2026-02-10T12:00", 4), ("month", "month", "2026-02-10T12:00", 1),
        ("hour", "week", "2026-03-08T12:00", 167),
    ],
)  # fmt: skip
def test_how_many_windows_lie_in_a_longer_one(period: str, longer: str, moment: str, number: int) -> None:
    assert share_of(period, window_of(longer, at(moment), ZoneInfo(NEW_YORK))) == Decimal(number)
