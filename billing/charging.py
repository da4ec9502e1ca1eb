"""What a quantity costs by a charge model. Pure and exact: no step in here rounds, whoever asks rounds once.

- standard: every unit at ``price_per_unit``.
- graduated: every unit at the price of the step it lies in, and the fee of each step that is entered, once.
- volume: all units at the price of the step that the whole quantity reaches, and the fee of that step alone.
- package: whole packages of ``package_size``; ``price_per_unit`` is the price of one, a package begun is due in full.

``up_to`` belongs to its step: 100 units of a step up to 100 are in it, the next unit is in the next. No usage, no
charge: a quantity of nought costs nothing whatever the model, the fee of a first step included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, localcontext
from typing import NamedTuple

NOUGHT = Decimal(0)
# Wide enough for any product of what the columns hold; a digit too many is an error, never lost.
_EXACT = Context(prec=200, traps=[*Context().traps, Inexact])


class Step(NamedTuple):
    """Units up to ``up_to``, it included; None: all above."""

    up_to: Decimal | None
    price_per_unit: Decimal
    flat_fee: Decimal = NOUGHT


class Part(NamedTuple):
    """``amount = quantity * unit_price + fee``; of packages, ``quantity`` counts them."""

    quantity: Decimal
    unit_price: Decimal
    fee: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Charged:
    """``amount`` is the sum of the parts, unrounded; no parts where nothing was used."""

    amount: Decimal
    parts: list[Part]


def charge(
    *, model: str, quantity: Decimal, price_per_unit: Decimal | None = None, package_size: Decimal | None = None,
    steps: Sequence[Step] = (),
) -> Charged:  # fmt: skip
    """Raises ``ValueError`` for a negative quantity, an unknown model, or a price that its model cannot use."""
    if not quantity.is_finite() or quantity < 0:
        raise ValueError("a quantity cannot be negative")
    with localcontext(_EXACT):
        if model == "standard":
            parts = [_part(quantity, _given(price_per_unit, "a price per unit"))]
        elif model == "package":
            size = _given(package_size, "a package size")
            if size <= 0:
                raise ValueError("a package holds more than nothing")
            parts = [_part(_packages(quantity, size), _given(price_per_unit, "a price of one package"))]
        elif model == "graduated":
            parts = _graduated(quantity, check_steps(steps))
        elif model == "volume":
            parts = [_volume(quantity, check_steps(steps))]
        else:
            raise ValueError(f"no charge model {model!r}")
        if not quantity:
            return Charged(NOUGHT, [])
        return Charged(sum((part.amount for part in parts), NOUGHT), parts)


def check_steps(steps: Sequence[Step]) -> Sequence[Step]:
    """The steps, if they rise from above nought and the last one, and no other, is open. Raises ``ValueError``."""
    if not steps or steps[-1].up_to is not None:
        raise ValueError("the last step has to be open")
    below = NOUGHT
    for step in steps[:-1]:
        if step.up_to is None or step.up_to <= below:
            raise ValueError("each step has to end above the one before")
        below = step.up_to
    return steps


def _given(value: Decimal | None, what: str) -> Decimal:
    if value is None:
        raise ValueError(f"{what} is wanted")
    return value


def _part(quantity: Decimal, unit_price: Decimal, fee: Decimal = NOUGHT) -> Part:
    return Part(quantity, unit_price, fee, quantity * unit_price + fee)


def _packages(quantity: Decimal, size: Decimal) -> Decimal:
    whole, rest = divmod(quantity, size)
    return whole + (1 if rest else 0)


def _graduated(quantity: Decimal, steps: Sequence[Step]) -> list[Part]:
    parts, below = [], NOUGHT
    for step in steps:
        top = quantity if step.up_to is None else min(quantity, step.up_to)
        parts.append(_part(top - below, step.price_per_unit, step.flat_fee))
        if top == quantity:
            break
        below = top
    return parts


def _volume(quantity: Decimal, steps: Sequence[Step]) -> Part:
    reached = next(step for step in steps if step.up_to is None or quantity <= step.up_to)
    return _part(quantity, reached.price_per_unit, reached.flat_fee)
