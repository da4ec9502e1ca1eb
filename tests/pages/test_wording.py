"""Numbers, money, days and charts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.utils import translation

from core import charts
from core.words import wording


@pytest.mark.parametrize(
    ("language", "value", "currency", "expected"),
    [
        ("en", "1234.5", "THB", "THB\u00a01,234.50"),
        ("th", "1234.5", "THB", "฿\u00a01,234.50"),
        ("en", "1234", "JPY", "JPY\u00a01,234"),
        ("en", "1.2345", "KWD", "KWD\u00a01.234"),
        ("en", "-5", "", "\u22125.00"),
        ("en", "0", "", "0.00"),
    ],
)
def test_money(language: str, value: str, currency: str, expected: str) -> None:
    with translation.override(language):
        assert wording.money_text(Decimal(value), currency) == expected


@pytest.mark.parametrize(("language", "expected"), [("en", "20 Nov 2026"), ("th", "20 พ.ย. 2569")])
def test_days(language: str, expected: str) -> None:
    with translation.override(language):
        assert wording.day_text(date(2026, 11, 20)) == expected


def test_september_is_short() -> None:
    assert wording.day_text(date(2026, 9, 1)) == "1 Sep 2026"


def test_moments_say_their_zone() -> None:
    moment = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
    assert wording.moment_text(moment) == "21 Nov 2026, 01:30 UTC+7"
    with translation.override("th"):
        assert wording.moment_text(moment) == "21 พ.ย. 2569 01:30 น. (UTC+7)"


def test_the_site_names_the_zone_of_its_days() -> None:
    assert wording.site_zone_text() == "Asia/Bangkok (UTC+7)"


@pytest.mark.parametrize(("value", "least"), [("1", "1.00"), ("0.125", "0.125"), ("0.000001", "0.000001")])
def test_rates_keep_their_places(value: str, least: str) -> None:
    assert wording.rate_text(Decimal(value)) == least


@pytest.mark.parametrize(
    ("value", "top"),
    [("0", "1"), ("0.03", "0.04"), ("1", "1"), ("6.5", "8"), ("99", "100"), ("101", "200"), ("4001", "5000")],
)
def test_axes_end_on_round_numbers(value: str, top: str) -> None:
    assert charts.nice_ceiling(Decimal(value)) == Decimal(top)


def test_bars_stack_to_their_total_and_carry_words() -> None:
    bars = [charts.Bar("1 Nov: 40 <b>", (Decimal(10), Decimal(30))), charts.Bar("2 Nov: 0", (Decimal(0), Decimal(0)))]
    chart = charts.bar_chart(bars, title="Cost", description="By day")
    assert chart.ticks == [40, 20, 0]
    assert '<rect class="s1" x="1.5" y="75.00" width="7" height="25.00"/>' in chart.svg
    assert '<rect class="s2" x="1.5" y="0.00" width="7" height="75.00"/>' in chart.svg
    assert "<title>Cost</title><desc>By day</desc>" in chart.svg
    assert "<b>" not in chart.svg
    assert "style=" not in chart.svg
