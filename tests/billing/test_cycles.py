"""Anchored periods by the calendar, and parts of them: exact, without gaps, in any time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.cycles import (
    CONVENTIONS,
    MONTHS,
    Part,
    Period,
    Span,
    begins,
    first_instant,
    on_anchor,
    part,
    period,
    rest,
    share,
    span,
    whole,
)
from core.money import places

BANGKOK, BERLIN, UTC_ZONE = ZoneInfo("Asia/Bangkok"), ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
ZONES = [BANGKOK, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("America/Havana"), ZoneInfo("Asia/Beirut"),
         ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Pacific/Chatham"), UTC_ZONE]  # fmt: skip
days = st.dates(date(1990, 1, 1), date(2080, 12, 31))
anchors = st.integers(1, 31)
cycles = st.sampled_from(sorted(MONTHS))
zones = st.sampled_from(ZONES)
currencies = st.sampled_from(["THB", "JPY", "KWD", "USD"])
fees = st.decimals(0, 10**9, places=4)


def starts(anchor: int, start: date, cycle: str, number: int) -> list[str]:
    return [period(anchor, start, cycle, n).start.isoformat() for n in range(number)]


# --- the calendar ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("anchor", "start", "cycle", "expected"),
    [
        (31, date(2027, 1, 31), "monthly", "2027-01-31 2027-02-28 2027-03-31 2027-04-30 2027-05-31"),
        (31, date(2028, 1, 31), "monthly", "2028-01-31 2028-02-29 2028-03-31"),
        (30, date(2027, 1, 30), "monthly", "2027-01-30 2027-02-28 2027-03-30"),
        (29, date(2027, 1, 29), "monthly", "2027-01-29 2027-02-28 2027-03-29"),
        (15, date(2027, 11, 15), "monthly", "2027-11-15 2027-12-15 2028-01-15"),
        (30, date(2026, 11, 30), "quarterly", "2026-11-30 2027-02-28 2027-05-30 2027-08-30 2027-11-30 2028-02-29"),
        (29, date(2024, 2, 29), "yearly", "2024-02-29 2025-02-28 2026-02-28 2027-02-28 2028-02-29"),
        (31, date(2027, 2, 28), "monthly", "2027-02-28 2027-03-31 2027-04-30"),
        (1, date(2026, 12, 1), "yearly", "2026-12-01 2027-12-01"),
    ],
)
def test_periods_keep_their_anchor_through_short_months(anchor: int, start: date, cycle: str, expected: str) -> None:
    assert " ".join(starts(anchor, start, cycle, len(expected.split()))) == expected


@pytest.mark.parametrize(
    ("anchor", "start", "cycle", "expected"),
    [
        (1, date(2027, 1, 10), "monthly", "2027-01-10 2027-02-01 2027-03-01"),
        (20, date(2027, 1, 10), "monthly", "2027-01-10 2027-01-20 2027-02-20"),
        (1, date(2027, 1, 10), "quarterly", "2027-01-10 2027-04-01 2027-07-01"),
        (31, date(2027, 1, 30), "monthly", "2027-01-30 2027-02-28 2027-03-31"),
    ],
)
def test_a_start_beside_the_anchor_makes_the_first_period_shorter(
    anchor: int, start: date, cycle: str, expected: str
) -> None:
    assert " ".join(starts(anchor, start, cycle, 3)) == expected


@pytest.mark.parametrize("odd", [(0, "monthly", 0), (32, "monthly", 0), (1, "weekly", 0), (1, "monthly", -1)])
def test_what_is_no_period_is_an_error(odd: tuple[int, str, int]) -> None:
    with pytest.raises(ValueError):
        period(odd[0], date(2027, 1, 1), odd[1], odd[2])


@given(anchors, days, cycles, st.integers(0, 30))
def test_periods_never_overlap_and_leave_no_gap(anchor: int, start: date, cycle: str, n: int) -> None:
    one, two = period(anchor, start, cycle, n), period(anchor, start, cycle, n + 1)
    assert one.start < one.end == two.start < two.end
    assert on_anchor(anchor, two.start)
    assert period(anchor, two.start, cycle, 0) == two, "whoever knows the anchor and one period knows the next"
    months = (one.end.year - one.start.year) * 12 + one.end.month - one.start.month
    assert months == MONTHS[cycle] or (n == 0 and months in (MONTHS[cycle] - 1, MONTHS[cycle]))


@given(anchors, days, cycles, st.integers(1, 12), zones)
def test_their_instants_meet_in_every_zone(anchor: int, start: date, cycle: str, n: int, zone: ZoneInfo) -> None:
    spans = [span(period(anchor, start, cycle, each), zone) for each in range(n + 1)]
    assert all(one.end == two.start and one.start < one.end for one, two in pairwise(spans))
    for each in spans:
        local = each.start.astimezone(zone)
        before = (each.start - timedelta(microseconds=1)).astimezone(zone)
        assert before.date() < local.date(), "the first instant of its day"


def test_a_midnight_that_is_skipped_or_comes_twice() -> None:
    beirut, havana = ZoneInfo("Asia/Beirut"), ZoneInfo("America/Havana")
    assert first_instant(date(2024, 3, 31), beirut).astimezone(beirut).hour == 1
    assert first_instant(date(2024, 11, 3), havana) == datetime(2024, 11, 3, 4, tzinfo=UTC)


# --- parts of a period ----------------------------------------------------------------
JANUARY = span(Period(date(2027, 1, 1), date(2027, 2, 1)), BANGKOK)


def at(text: str, zone: ZoneInfo = BANGKOK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def test_by_days_the_day_of_the_change_counts_and_the_last_one_does_not() -> None:
    for moment in ("2027-01-16T00:00", "2027-01-16T11:30", "2027-01-16T23:59:59"):
        assert rest("day", JANUARY, at(moment), BANGKOK) == Part(16, 31, "day")
        assert begins("day", JANUARY, at(moment), BANGKOK) == at("2027-01-16T00:00")
    assert share(Decimal(310), "THB", Part(16, 31, "day")) == Decimal("160.00")
    used = part("day", JANUARY, Span(JANUARY.start, at("2027-01-16T11:30")), BANGKOK)
    assert used == Part(15, 31, "day")


def test_by_seconds_a_change_counts_from_its_second() -> None:
    left = rest("second", JANUARY, at("2027-01-16T12:00:00.9"), BANGKOK)
    assert left == Part(31 * 43200, 31 * 86400, "second")
    assert share(Decimal("99.99"), "THB", left) == Decimal("50.00")
    assert begins("second", JANUARY, at("2027-01-16T12:00:00.9"), BANGKOK) == at("2027-01-16T12:00")


def test_none_gives_nothing_back() -> None:
    assert share(Decimal(310), "THB", rest("none", JANUARY, at("2027-01-02T00:00"), BANGKOK)) == 0


def test_what_is_no_convention_is_an_error() -> None:
    with pytest.raises(ValueError):
        rest("week", JANUARY, JANUARY.start, BANGKOK)


@pytest.mark.parametrize(("month", "hours"), [(3, 31 * 24 - 1), (10, 31 * 24 + 1), (5, 31 * 24)])
def test_a_month_in_which_the_clocks_change_is_as_long_as_it_is(month: int, hours: int) -> None:
    within = span(period(1, date(2027, month, 1), "monthly", 0), BERLIN)
    assert rest("second", within, within.start, BERLIN) == Part(hours * 3600, hours * 3600, "second")
    assert rest("day", within, within.start, BERLIN) == Part(31, 31, "day")


def test_a_moment_outside_is_all_or_nothing() -> None:
    for convention, all_of_it in (("day", 31), ("second", 31 * 86400)):
        assert rest(convention, JANUARY, at("2026-06-01T00:00"), BANGKOK).units == all_of_it
        assert rest(convention, JANUARY, at("2028-06-01T00:00"), BANGKOK).units == 0


@pytest.mark.parametrize(
    ("currency", "expected"), [("JPY", "333"), ("THB", "333.33"), ("KWD", "333.333"), ("CLF", "333.3333")]
)
def test_amounts_have_the_places_of_their_currency(currency: str, expected: str) -> None:
    assert share(Decimal(1000), currency, Part(1, 3, "day")) == Decimal(expected)
    assert whole(Decimal("0.5"), "JPY") == 1


@given(anchors, days, cycles, zones, fees, currencies, st.sampled_from(CONVENTIONS[1:]), st.floats(0, 1))
def test_two_parts_add_up_to_the_whole_within_one_minor_unit(
    anchor: int, start: date, cycle: str, zone: ZoneInfo, fee: Decimal, currency: str, convention: str, where: float
) -> None:
    within = span(period(anchor, start, cycle, 0), zone)
    moment = within.start + (within.end - within.start) * where
    left = rest(convention, within, moment, zone)
    used = part(convention, within, Span(within.start, moment), zone)
    assert left.units + used.units == left.whole == used.whole > 0
    assert min(left.units, used.units) >= 0
    unit = Decimal(1).scaleb(-places(currency))
    together = share(fee, currency, left) + share(fee, currency, used)
    assert abs(together - whole(fee, currency)) <= unit


@given(days, zones, st.sampled_from(CONVENTIONS[1:]), st.lists(st.floats(0, 1), max_size=8))
def test_any_number_of_parts_is_the_whole_period(
    start: date, zone: ZoneInfo, convention: str, cuts: list[float]
) -> None:
    within = span(period(start.day, start, "quarterly", 0), zone)
    edges = [within.start, *(within.start + (within.end - within.start) * cut for cut in sorted(cuts)), within.end]
    parts = [part(convention, within, Span(*pair), zone) for pair in pairwise(edges)]
    assert sum(each.units for each in parts) == parts[0].whole
