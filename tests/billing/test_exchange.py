"""Exchange rates: set without overlap, found the direct way, the other way round or through another currency, and
never guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from audit.models import AuditLog
from billing.models import ExchangeRate
from billing.selectors.pricing.exchange import rounded
from billing.services.pricing.exchange import (
    MissingExchangeRate,
    Quote,
    Rate,
    RateBook,
    convert,
    fits,
    import_rates,
    rate_at,
    set_rate,
)
from core.context import SYSTEM, Actor
from core.errors import BadInput, Conflict
from tests.races import at_once

pytestmark = pytest.mark.django_db
D = Decimal
FIN = Actor("fin")
NOV = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def put(base: str, target: str, rate: str, moment: datetime = NOV, **fields: Any) -> ExchangeRate:
    return set_rate(actor=FIN, base=base, target=target, rate=D(rate), effective_from=moment, **fields)


def spans(base: str = "USD", target: str = "THB") -> list[tuple[Decimal, datetime, datetime | None]]:
    rows = ExchangeRate.objects.filter(base_currency=base, target_currency=target).order_by("effective_from")
    return [(row.rate, row.effective_from, row.effective_to) for row in rows]


# --- setting --------------------------------------------------------------------------
def test_a_rate_is_set_from_now_on_and_audited() -> None:
    row = set_rate(actor=FIN, base="USD", target="THB", rate=D("36.5"))
    assert (row.effective_to, row.source, row.set_by) == (None, "manual", "fin")
    entry = AuditLog.objects.get(action="exchange_rate_set")
    assert (entry.actor, entry.target, entry.changes["rate"]) == ("fin", "USD/THB", [None, "36.5"])


def test_a_new_rate_ends_the_one_before_at_its_own_moment() -> None:
    put("USD", "THB", "36")
    put("USD", "THB", "37", NOV + DAY)
    assert spans() == [(D(36), NOV, NOV + DAY), (D(37), NOV + DAY, None)]


def test_a_rate_of_an_earlier_day_ends_where_the_next_one_begins() -> None:
    put("USD", "THB", "36")
    put("USD", "THB", "38", NOV + 2 * DAY)
    put("USD", "THB", "37", NOV + DAY)
    put("USD", "THB", "35", NOV - DAY)
    assert spans() == [
        (D(35), NOV - DAY, NOV), (D(36), NOV, NOV + DAY), (D(37), NOV + DAY, NOV + 2 * DAY), (D(38), NOV + 2 * DAY, None),
    ]  # fmt: skip


def test_two_rates_of_one_moment_are_refused_and_the_first_stays() -> None:
    put("USD", "THB", "36")
    with pytest.raises(Conflict, match="from this moment on already"):
        put("USD", "THB", "37")
    assert spans() == [(D(36), NOV, None)]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("base_currency", {"base": "usd"}),
        ("base_currency", {"base": "ZZZ"}),
        ("target_currency", {"target": "USD"}),
        ("rate", {"rate": "0"}),
        ("rate", {"rate": "-1"}),
        ("rate", {"rate": "NaN"}),
        ("rate", {"rate": f"1.{'0' * 40}1"}),
        ("rate", {"rate": "0.0000000000001"}),
        ("rate", {"rate": "1234567.123456789"}),
        ("effective_from", {"moment": NOV.replace(year=1999)}),
    ],
)
def test_what_is_no_rate_is_refused_by_field(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as refusal:
        put(**{"base": "USD", "target": "THB", "rate": "36", **values})
    assert list(refusal.value.details["errors"]) == [field]  # type: ignore[call-overload]
    assert not ExchangeRate.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_who_set_rates_at_once_leave_neither_gap_nor_overlap() -> None:
    at_once(8, lambda place: put("USD", "THB", str(30 + place), NOV + place * DAY))
    found = spans()
    assert len(found) == 8
    for (_rate, _from, until), (_next, begins, _until) in pairwise(found):
        assert until == begins
    assert found[-1][2] is None


@pytest.mark.django_db(transaction=True)
def test_of_many_who_set_the_same_moment_one_wins() -> None:
    def work(place: int) -> str:
        try:
            put("USD", "THB", str(30 + place))
        except Conflict:
            return "late"
        return "set"

    assert sorted(at_once(6, work)) == ["late"] * 5 + ["set"]
    assert len(spans()) == 1


# --- finding --------------------------------------------------------------------------
def test_the_rate_in_force_counts_its_first_moment_included_its_last_not() -> None:
    put("USD", "THB", "36")
    put("USD", "THB", "37", NOV + DAY, source="ecb")
    assert rate_at("USD", "THB", NOV) == Rate(D(36), NOV, "manual")
    assert rate_at("USD", "THB", NOV + DAY - timedelta(microseconds=1)).rate == 36
    assert rate_at("USD", "THB", NOV + DAY) == Rate(D(37), NOV + DAY, "ecb")


def test_a_missing_rate_is_an_error_with_the_pair_and_the_day_and_never_1() -> None:
    put("USD", "THB", "36")
    with pytest.raises(MissingExchangeRate, match="from USD to THB on 31 Oct 2026") as found:
        rate_at("USD", "THB", NOV - DAY)
    assert found.value.details == {"base": "USD", "target": "THB", "day": "2026-10-31"}
    for base, target in (("USD", "JPY"), ("JPY", "USD")):
        with pytest.raises(MissingExchangeRate, match=f"from {base} to {target}"):
            convert(D(1), base, target, NOV)


def test_a_currency_is_worth_itself() -> None:
    assert convert(D("1.005"), "THB", "THB", NOV) == (D("1.01"), Rate(D(1), NOV, "same"))


def test_the_other_way_round_is_one_by_the_rate_to_twelve_places() -> None:
    put("USD", "THB", "36")
    assert rate_at("THB", "USD", NOV).rate == D("0.027777777778")


def test_the_pairs_own_rate_comes_before_every_other_way(settings: Any) -> None:
    settings.PAYMENT_CURRENCY = "THB"
    put("EUR", "USD", "1.25")
    put("EUR", "JPY", "150")
    assert rate_at("USD", "JPY", NOV) == Rate(D(120), NOV, "manual")  # 150 / 1.25
    put("THB", "USD", "0.025")
    put("JPY", "THB", "0.25")
    assert rate_at("USD", "JPY", NOV).rate == 160, "through the site's currency: 40 THB, 4 JPY each"
    put("JPY", "USD", "0.01")
    assert rate_at("USD", "JPY", NOV).rate == 100
    put("USD", "JPY", "99")
    assert rate_at("USD", "JPY", NOV).rate == 99


def test_a_way_of_two_legs_is_as_old_as_the_older_and_names_both_sources() -> None:
    put("EUR", "USD", "1.25", source="ecb")
    put("EUR", "THB", "40", NOV + DAY)
    assert rate_at("USD", "THB", NOV + 2 * DAY) == Rate(D(32), NOV, "ecb+manual")


def test_ways_with_more_than_two_legs_are_not_taken(settings: Any) -> None:
    settings.PAYMENT_CURRENCY = "THB"
    put("USD", "EUR", "0.8")
    put("EUR", "THB", "40")
    put("THB", "JPY", "4")
    with pytest.raises(MissingExchangeRate):
        rate_at("USD", "JPY", NOV)


def test_all_rates_of_a_moment_are_read_in_one_query(django_assert_num_queries: Any) -> None:
    put("EUR", "USD", "1.25")
    put("EUR", "THB", "40")
    with django_assert_num_queries(1):
        book = RateBook.load(NOV)
        assert [book.rate(*pair).rate for pair in (("USD", "THB"), ("THB", "EUR"), ("EUR", "USD"))] == [
            D(32), D("0.025"), D("1.25"),
        ]  # fmt: skip


# --- converting -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("amount", "target", "rate", "expected"),
    [
        ("10.01", "JPY", "151.35", "1515"),  # 1515.0135
        ("0.01", "JPY", "150", "2"),  # 1.5 goes up
        ("10", "KWD", "0.30685", "3.069"),  # 3.0685 goes up
        ("10.01", "THB", "36.55", "365.87"),  # 365.8655
        ("0.001", "THB", "4", "0.00"),
    ],
)
def test_an_amount_is_rounded_once_to_the_places_of_the_currency(
    amount: str, target: str, rate: str, expected: str
) -> None:
    put("USD", target, rate)
    found = convert(D(amount), "USD", target, NOV)
    assert str(found.amount) == expected
    assert found.rate.rate == D(rate)


@given(st.fractions(min_value=Fraction(1, 10**9), max_value=10**11))
def test_a_computed_rate_is_rounded_half_up_once_and_kept_by_both_databases(worth: Fraction) -> None:
    rate = rounded(worth)
    decimals = -rate.as_tuple().exponent  # type: ignore[operator]
    assert abs(Fraction(rate) - worth) <= Fraction(1, 2 * 10**decimals)
    assert rate == 0 or fits(rate)
    assert rate == rate.quantize(D(1).scaleb(-decimals), ROUND_HALF_UP)


@pytest.mark.parametrize("rate", ["0.000000000001", "123456789012.345", "12.3456789012345"[:15], "999999999999.999"])
def test_a_rate_that_fits_is_kept_to_the_last_digit(rate: str) -> None:
    put("USD", "IDR", rate)
    assert ExchangeRate.objects.get().rate == D(rate)


# --- taking over from a feed ------------------------------------------------------------
def quotes(*rates: str) -> list[Quote]:
    return [Quote("EUR", "USD", D(rate), NOV + place * DAY) for place, rate in enumerate(rates)]


def test_an_import_may_be_repeated_and_leaves_one_audit_entry() -> None:
    first = import_rates(actor=SYSTEM, quotes=quotes("1.1", "1.2", "1.3"), source="ecb")
    again = import_rates(actor=SYSTEM, quotes=quotes("1.1", "1.2", "1.3", "1.4"), source="ecb")
    assert (first.added, again.added, again.unchanged) == (3, 1, 3)
    assert [rate for rate, _from, _to in spans("EUR", "USD")] == [D("1.1"), D("1.2"), D("1.3"), D("1.4")]
    assert AuditLog.objects.filter(action="exchange_rates_import").count() == 2
    import_rates(actor=SYSTEM, quotes=quotes("1.1"), source="ecb")
    assert AuditLog.objects.filter(action="exchange_rates_import").count() == 2, "nothing new, nothing to tell"


def test_what_is_there_is_not_written_over() -> None:
    put("EUR", "USD", "1.5")
    done = import_rates(actor=SYSTEM, quotes=quotes("1.1", "1.2"), source="ecb")
    assert (done.added, done.differing) == (1, 1)
    assert "1.5 stays, the feed says 1.1" in done.notes[0]
    assert spans("EUR", "USD") == [(D("1.5"), NOV, NOV + DAY), (D("1.2"), NOV + DAY, None)]


def test_older_quotes_go_between_those_that_are_there() -> None:
    import_rates(actor=SYSTEM, quotes=[quotes("1.1", "1.2", "1.3")[place] for place in (0, 2)], source="ecb")
    import_rates(actor=SYSTEM, quotes=quotes("1.1", "1.2", "1.3"), source="ecb")
    found = spans("EUR", "USD")
    assert [until for _rate, _from, until in found] == [NOV + DAY, NOV + 2 * DAY, None]


def test_a_dry_run_counts_and_writes_nothing() -> None:
    assert import_rates(actor=SYSTEM, quotes=quotes("1.1"), source="ecb", dry_run=True).added == 1
    assert not ExchangeRate.objects.exists()
    assert not AuditLog.objects.filter(action="exchange_rates_import").exists()


def test_statements_do_not_grow_with_the_number_of_quotes(django_assert_max_num_queries: Any) -> None:
    many = [Quote("EUR", code, D(2), NOV + place * DAY) for code in ("USD", "THB", "JPY") for place in range(60)]
    with django_assert_max_num_queries(14 if connection.vendor == "postgresql" else 12):
        assert import_rates(actor=SYSTEM, quotes=many, source="ecb").added == 180


@pytest.mark.django_db(transaction=True)
def test_imports_at_once_add_each_rate_once() -> None:
    done = at_once(4, lambda _place: import_rates(actor=SYSTEM, quotes=quotes("1.1", "1.2", "1.3"), source="ecb"))
    assert sum(each.added for each in done) == 3
    assert [until for _rate, _from, until in spans("EUR", "USD")] == [NOV + DAY, NOV + 2 * DAY, None]
