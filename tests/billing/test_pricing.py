"""Pricing: exact, rounded once per item, and the same in Python as in the database."""

from __future__ import annotations

import os
import random
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from billing import sql
from billing.pricing import MIB_SECONDS_PER_GB_HOUR, PricedItem, Rates, cost, hours, price, total
from core.database.tables import json_table

MU = Rates(Decimal(1), Decimal(5), Decimal("0.5"))
seconds = st.integers(min_value=0, max_value=10**16)
rate = st.decimals(min_value=0, max_value=Decimal("999999.999999"), places=6)


def test_one_core_hour_costs_the_core_hour_rate() -> None:
    item = price(cpu_seconds=3600, gpu_seconds=0, mem_mib_seconds=0, rates=MU)
    assert item == PricedItem(Decimal("1.0000"), Decimal("0.0000"), Decimal("0.0000"), Decimal("1.00"))


def test_a_gigabyte_is_1024_mebibytes() -> None:
    assert hours(1024 * 3600, MIB_SECONDS_PER_GB_HOUR) == Decimal("1.0000")


@pytest.mark.parametrize(
    ("mib_seconds", "expected"),
    [(4608, "0.0013"), (4607, "0.0012"), (3 * 4608, "0.0038")],
)
def test_a_tie_in_the_fifth_place_goes_up(mib_seconds: int, expected: str) -> None:
    # 4608 MiB-seconds are exactly 0.00125 GB-hours
    assert hours(mib_seconds, MIB_SECONDS_PER_GB_HOUR) == Decimal(expected)


def test_half_a_satang_goes_up() -> None:
    assert cost(Decimal("0.0050"), Decimal(0), Decimal(0), MU) == Decimal("0.01")


def test_a_total_is_the_sum_of_what_is_printed() -> None:
    items = [price(cpu_seconds=18, gpu_seconds=0, mem_mib_seconds=0, rates=MU) for _ in range(3)]
    assert [str(item.cost) for item in items] == ["0.01"] * 3
    assert total(items) == Decimal("0.03"), "0.015 would be 0.02 if the total were rounded instead of the lines"


def test_zero_seconds_cost_nothing() -> None:
    assert price(cpu_seconds=0, gpu_seconds=0, mem_mib_seconds=0, rates=MU).cost == 0


def test_a_huge_job_is_exact() -> None:
    # 10,000 cores for 30 days at 50 THB: beyond 64-bit integers in micro-units
    item = price(cpu_seconds=10_000 * 30 * 86400, gpu_seconds=0, mem_mib_seconds=0,
                 rates=Rates(Decimal(50), Decimal(0), Decimal(0)))  # fmt: skip
    assert item.cost == Decimal("360000000.00")


def test_a_negative_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        hours(-1)


@given(seconds, st.sampled_from([3600, MIB_SECONDS_PER_GB_HOUR]))
def test_hours_are_the_exact_quotient_rounded_half_up(amount: int, per_hour: int) -> None:
    exact = Fraction(amount, per_hour) * 10**4
    expected = int(exact + Fraction(1, 2))
    assert hours(amount, per_hour) == Decimal(expected).scaleb(-4)


@given(seconds, seconds, seconds, rate, rate, rate)
def test_cost_is_the_exact_sum_of_products_rounded_half_up(
    cpu: int, gpu: int, mem: int, a: Decimal, b: Decimal, c: Decimal
) -> None:
    item = price(cpu_seconds=cpu, gpu_seconds=gpu, mem_mib_seconds=mem, rates=Rates(a, b, c))
    exact = sum(Fraction(h) * Fraction(r) for h, r in
                ((item.cpu_core_hours, a), (item.gpu_hours, b), (item.mem_gb_hours, c)))  # fmt: skip
    assert item.cost == Decimal(int(exact * 100 + Fraction(1, 2))).scaleb(-2)
    assert item.cost == item.cost.quantize(Decimal("0.01"), ROUND_HALF_UP)


@pytest.mark.django_db
@given(seconds, seconds, seconds, rate, rate, rate)
def test_the_database_prices_exactly_like_python(
    cpu: int, gpu: int, mem: int, a: Decimal, b: Decimal, c: Decimal
) -> None:
    expected = price(cpu_seconds=cpu, gpu_seconds=gpu, mem_mib_seconds=mem, rates=Rates(a, b, c))
    sql.prepare()
    number = "CAST(%s AS numeric)" if connection.vendor == "postgresql" else "%s"
    amount = "CAST(%s AS bigint)" if connection.vendor == "postgresql" else "%s"
    hours_text = (sql.hours_sql("c"), sql.hours_sql("g"), sql.mem_hours_sql("m"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT h.*, {sql.cost_sql('cpu', 'gpu', 'mem', (number,) * 3)} FROM (SELECT {hours_text[0]} AS cpu,"
            f" {hours_text[1]} AS gpu, {hours_text[2]} AS mem FROM"
            f" (SELECT {amount} AS c, {amount} AS g, {amount} AS m) q) h",
            [str(a), str(b), str(c), cpu, gpu, mem],
        )
        row = [Decimal(str(value)) for value in cursor.fetchone()]
    assert row == [expected.cpu_core_hours, expected.gpu_hours, expected.mem_gb_hours, expected.cost]


EXAMPLES, CHUNK = 50_000, 5_000


@pytest.mark.django_db
def test_fifty_thousand_lines_cost_to_the_last_satang_what_exact_fractions_say() -> None:
    """Seeded, so that a failure can be replayed; amounts from a second to more than a whole cluster for a month, and to
    the largest that fits the columns."""
    draw = random.Random(int(os.environ.get("PRICING_SEED", "20261126")))
    table_types = {"c": "bigint", "g": "bigint", "m": "bigint", "a": "numeric", "b": "numeric", "d": "numeric"}
    hours_text = (sql.hours_sql("c"), sql.hours_sql("g"), sql.mem_hours_sql("m"))
    sql.prepare()
    total, expected_total = Decimal(0), Decimal(0)
    for _chunk in range(EXAMPLES // CHUNK):
        rows = [
            [*(draw.randrange(10 ** draw.randrange(1, most)) for most in (12, 12, 15)),
             *(f"{draw.randrange(10 ** draw.randrange(1, 10)) / Decimal(10**6):f}" for _ in range(3))]
            for _ in range(CHUNK)
        ]  # fmt: skip
        table, parameter = json_table("q", table_types, rows)
        with connection.cursor() as cursor:
            cursor.execute(
                f"WITH {table} SELECT {sql.money_sum_sql('cost')} FROM (SELECT {sql.cost_sql('x', 'y', 'z', ('a', 'b', 'd'))}"
                f" AS cost FROM (SELECT {hours_text[0]} AS x, {hours_text[1]} AS y, {hours_text[2]} AS z, a, b, d FROM q) h) p",
                [parameter],
            )
            total += sql.money_from_sql(cursor.fetchone()[0])
        expected_total += sum((_by_fractions(row) for row in rows), Decimal(0))
    assert total == expected_total


def _by_fractions(row: list[Any]) -> Decimal:
    """Hours to 4 places, one rounding of the sum: by exact fractions, without a line of the product."""
    divisors = (3600, 3600, 1024 * 3600)
    hours_of = [
        Fraction(int(Fraction(s, d) * 10**4 + Fraction(1, 2)), 10**4) for s, d in zip(row[:3], divisors, strict=True)
    ]
    exact = sum((h * Fraction(r) for h, r in zip(hours_of, row[3:], strict=True)), Fraction(0))
    return Decimal(int(exact * 100 + Fraction(1, 2))).scaleb(-2)
