"""Money: one rounding, exact minor units."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import from_minor, places, quantize, to_minor

amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=7)


@pytest.mark.parametrize(
    ("currencies", "decimals"),
    [
        ("THB USD EUR CNY IDR TWD HUF ZMW", 2),
        ("AFN ALL IRR KPW LAK LBP MGA MMK RSD SOS SYP YER", 2),  # written without them in many places
        ("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 0),
        ("BHD IQD JOD KWD LYD OMR TND", 3),
        ("CLF UYW", 4),
    ],
)
def test_currencies_have_the_places_of_iso_4217(currencies: str, decimals: int) -> None:
    assert {places(currency) for currency in currencies.split()} == {decimals}


@pytest.mark.parametrize(
    ("value", "rounded"), [("0.005", "0.01"), ("0.0049999", "0.00"), ("-0.005", "-0.01"), ("2.675", "2.68")]
)
def test_halves_go_away_from_zero(value: str, rounded: str) -> None:
    assert quantize(Decimal(value), 2) == Decimal(rounded)


@given(amounts)
def test_rounding_moves_an_amount_by_at_most_half_a_unit(value: Decimal) -> None:
    assert abs(Fraction(quantize(value, 2)) - Fraction(value)) <= Fraction(1, 200)


@given(st.integers(min_value=-(10**12), max_value=10**12), st.sampled_from(["THB", "JPY", "KWD"]))
def test_minor_units_go_there_and_back(minor: int, currency: str) -> None:
    assert to_minor(from_minor(minor, currency), currency) == minor


def test_an_amount_with_too_many_places_is_refused_not_rounded() -> None:
    with pytest.raises(ValueError, match="THB"):
        to_minor(Decimal("1.005"), "THB")
