"""Tax on a document: one rate, on top of the lines or inside them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext

from core.money import quantize

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Tax:
    """``rate`` in percent. Inclusive: the prices hold the tax already."""

    label: str = ""
    rate: Decimal = Decimal(0)
    inclusive: bool = False


@dataclass(frozen=True, slots=True)
class Sums:
    """``total`` = ``subtotal`` + ``tax``, exactly."""

    subtotal: Decimal
    tax: Decimal
    total: Decimal


def apply(tax: Tax, lines: Decimal, decimals: int = 2) -> Sums:
    """What a document asks for when its lines add up to ``lines``. The tax is rounded once, on the sum."""
    with localcontext(prec=60):
        if tax.inclusive:
            subtotal = quantize(lines * HUNDRED / (HUNDRED + tax.rate), decimals)
            return Sums(subtotal, lines - subtotal, lines)
        amount = quantize(lines * tax.rate / HUNDRED, decimals)
    return Sums(lines, amount, lines + amount)
