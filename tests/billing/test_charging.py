"""What a quantity costs: each charge model by worked examples, and exactly, against integers."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.charging import Charged, Part, Step, charge
from billing.models import ChargeModel

D = Decimal
STEPS = [Step(D(100), D("1.00"), D(5)), Step(D(200), D("0.80"), D(3)), Step(None, D("0.50"), D(2))]

quantities = st.decimals(min_value=0, max_value=D(10) ** 30, places=9)
prices = st.decimals(min_value=0, max_value=D(10) ** 20, places=9)
fees = st.decimals(min_value=0, max_value=D(10) ** 11, places=4)


@st.composite
def ladders(draw: Any) -> list[Step]:
    bounds = draw(
        st.lists(st.decimals(min_value=D("0.000000001"), max_value=D(10) ** 12, places=9), unique=True, max_size=6)
    )
    return [Step(bound, draw(prices), draw(fees)) for bound in [*sorted(bounds), None]]


def cost(model: str, quantity: str, **fields: Any) -> Decimal:
    return charge(model=model, quantity=D(quantity), **fields).amount


def test_every_charge_model_of_the_prices_can_be_charged() -> None:
    for model in ChargeModel.values:
        charged = charge(model=model, quantity=D(7), price_per_unit=D(2), package_size=D(10), steps=STEPS)
        assert charged.amount > 0, model


def test_standard_is_quantity_times_price_without_rounding() -> None:
    assert charge(model="standard", quantity=D("1234.5"), price_per_unit=D("0.000001")) == Charged(
        D("0.0012345"), [Part(D("1234.5"), D("0.000001"), D(0), D("0.0012345"))]
    )


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [
        ("1", "6"),  # 1 x 1.00 + 5
        ("100", "105"),  # the bound belongs to the step below it
        ("100.5", "108.4"),  # 105 + 0.5 x 0.80 + 3
        ("200", "188"),  # 105 + 100 x 0.80 + 3
        ("201", "190.5"),  # 188 + 1 x 0.50 + 2
        ("300", "240"),
    ],
)
def test_graduated_charges_each_unit_by_its_step_and_each_fee_once(quantity: str, amount: str) -> None:
    assert cost("graduated", quantity, steps=STEPS) == D(amount)


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [("1", "6"), ("100", "105"), ("101", "83.8"), ("200", "163"), ("201", "102.5")],
)
def test_volume_charges_all_units_by_the_step_reached_and_its_fee_alone(quantity: str, amount: str) -> None:
    assert cost("volume", quantity, steps=STEPS) == D(amount)


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [("0.000000001", "9"), ("999.999999999", "9"), ("1000", "9"), ("1000.000000001", "18"), ("2500", "27")],
)
def test_a_package_that_is_begun_is_due_in_full(quantity: str, amount: str) -> None:
    assert cost("package", quantity, price_per_unit=D(9), package_size=D(1000)) == D(amount)


def test_parts_show_what_was_charged_in_each_step() -> None:
    assert charge(model="graduated", quantity=D(250), steps=STEPS).parts == [
        (D(100), D("1.00"), D(5), D(105)), (D(100), D("0.80"), D(3), D(83)), (D(50), D("0.50"), D(2), D(27)),
    ]  # fmt: skip
    assert charge(model="package", quantity=D(2500), price_per_unit=D(9), package_size=D(1000)).parts == [
        (D(3), D(9), D(0), D(27))
    ]


@pytest.mark.parametrize("model", ChargeModel.values)
def test_no_usage_is_no_charge_not_even_the_fee_of_the_first_step(model: str) -> None:
    free = charge(model=model, quantity=D("0.000"), price_per_unit=D(2), package_size=D(10), steps=STEPS)
    assert free == Charged(D(0), [])


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        ("negative", {"model": "standard", "quantity": D(-1), "price_per_unit": D(1)}),
        ("negative", {"model": "standard", "quantity": D("NaN"), "price_per_unit": D(1)}),
        ("no charge model", {"model": "percentage", "quantity": D(1)}),
        ("price per unit", {"model": "standard", "quantity": D(1)}),
        ("package size", {"model": "package", "quantity": D(1), "price_per_unit": D(1)}),
        ("more than nothing", {"model": "package", "quantity": D(1), "price_per_unit": D(1), "package_size": D(0)}),
        ("last step", {"model": "graduated", "quantity": D(1)}),
        ("last step", {"model": "volume", "quantity": D(1), "steps": STEPS[:2]}),
        ("above the one before", {"model": "volume", "quantity": D(1), "steps": [STEPS[1], STEPS[0], STEPS[2]]}),
        ("above the one before", {"model": "graduated", "quantity": D(1), "steps": [STEPS[2], STEPS[2]]}),
        ("above the one before", {"model": "graduated", "quantity": D(0), "steps": [Step(D(0), D(1)), STEPS[2]]}),
    ],
)
def test_what_cannot_be_charged_is_refused_and_never_free(words: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=words):
        charge(**fields)


@given(quantities, prices)
def test_standard_is_exact(quantity: Decimal, price: Decimal) -> None:
    assert Fraction(charge(model="standard", quantity=quantity, price_per_unit=price).amount) == Fraction(
        quantity
    ) * Fraction(price)


@given(quantities, prices, st.decimals(min_value=D("0.000000001"), max_value=D(10) ** 20, places=9))
def test_packages_are_the_exact_quotient_rounded_up(quantity: Decimal, price: Decimal, size: Decimal) -> None:
    packages = math.ceil(Fraction(quantity) / Fraction(size))
    assert Fraction(
        charge(model="package", quantity=quantity, price_per_unit=price, package_size=size).amount
    ) == packages * Fraction(price)


@given(quantities, ladders())
def test_graduated_is_the_exact_sum_over_the_steps_entered(quantity: Decimal, steps: list[Step]) -> None:
    expected, below = Fraction(0), Fraction(0)
    for step in steps:
        inside = (
            Fraction(quantity) - below if step.up_to is None else min(Fraction(quantity), Fraction(step.up_to)) - below
        )
        if inside > 0:
            expected += inside * Fraction(step.price_per_unit) + Fraction(step.flat_fee)
        below = Fraction(step.up_to or 0)
    charged = charge(model="graduated", quantity=quantity, steps=steps)
    assert Fraction(charged.amount) == expected
    assert sum(Fraction(part.quantity) for part in charged.parts) == Fraction(quantity)


@given(quantities, ladders())
def test_volume_is_the_whole_quantity_at_one_price(quantity: Decimal, steps: list[Step]) -> None:
    step = next(each for each in steps if each.up_to is None or quantity <= each.up_to)
    expected = Fraction(quantity) * Fraction(step.price_per_unit) + Fraction(step.flat_fee) if quantity else 0
    assert Fraction(charge(model="volume", quantity=quantity, steps=steps).amount) == expected


@given(quantities, ladders(), st.sampled_from(["graduated", "volume", "package"]))
def test_an_amount_is_the_sum_of_its_parts(quantity: Decimal, steps: list[Step], model: str) -> None:
    charged = charge(model=model, quantity=quantity, steps=steps, price_per_unit=D("0.3"), package_size=D(7))
    assert Fraction(charged.amount) == sum(Fraction(part.amount) for part in charged.parts)
    for part in charged.parts:
        assert Fraction(part.amount) == Fraction(part.quantity) * Fraction(part.unit_price) + Fraction(part.fee)


@given(quantities, quantities, ladders())
def test_a_graduated_price_never_falls_with_more_usage(one: Decimal, other: Decimal, steps: list[Step]) -> None:
    less, more = sorted((one, other))
    assert (
        charge(model="graduated", quantity=less, steps=steps).amount
        <= charge(model="graduated", quantity=more, steps=steps).amount
    )
