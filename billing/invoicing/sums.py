"""From lines to a total: discounts before tax, tax by rate on the sum. Pure, in whole minor units where it divides.

``subtotal``, ``discount`` and ``tax`` never overlap: ``total`` = ``subtotal`` - ``discount`` + ``tax``, to the minor
unit. Where the prices hold the tax already, lines are gross, and the document's subtotal and discount are what is left
of them without their tax.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from billing.tax import HUNDRED, Tax, apply
from core.money import quantize

NOUGHT = Decimal(0)
# What a document may come to: less than its columns hold, so that SQLite, too, keeps it to the hundredth.
TOO_MUCH = Decimal(10) ** 13


@dataclass(frozen=True, slots=True)
class Off:
    """One discount: a percentage of the sum of all lines, or an amount."""

    percent: Decimal | None = None
    amount: Decimal | None = None


@dataclass(slots=True)
class Item:
    """A line as far as sums go; ``discount`` and ``net`` are filled in by ``take_off``. One that is not ``discounted``
    has its discount, if any, in it already."""

    total: Decimal
    tax_label: str = ""
    tax_rate: Decimal = NOUGHT
    tax_category: str = "S"
    discounted: bool = True
    discount: Decimal = NOUGHT
    net: Decimal = NOUGHT

    @property
    def group(self) -> tuple[str, Decimal, str]:
        return self.tax_category, self.tax_rate, self.tax_label


@dataclass(frozen=True, slots=True)
class TaxSum:
    """``base`` is without the tax, whether the prices hold it or not."""

    label: str
    rate: Decimal
    category: str
    base: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal
    taxes: tuple[TaxSum, ...]


def spread(amount: Decimal, weights: Sequence[Decimal], decimals: int) -> list[Decimal]:
    """``amount`` by weights, in minor units, nothing lost: what rounding down leaves goes to the largest remainders.

    Weights may be negative as long as their sum is not; shares then have the sign of their weight, and none is larger
    than its weight while ``amount`` is not larger than their sum. Ties go to the earlier one.
    """
    units = [_units(weight, decimals) for weight in weights]
    whole, wanted = sum(units), _units(amount, decimals)
    if not wanted:
        return [NOUGHT] * len(units)
    if whole <= 0:
        raise ValueError("an amount is spread over weights that come to more than nothing")
    shares = [divmod(wanted * unit, whole) for unit in units]
    found = [share for share, _rest in shares]
    by_rest = sorted(range(len(units)), key=lambda place: (-shares[place][1], place))
    for place in by_rest[: wanted - sum(found)]:
        found[place] += 1
    return [Decimal(share).scaleb(-decimals) for share in found]


def discount_of(offs: Iterable[Off], base: Decimal, decimals: int) -> Decimal:
    """All discounts together, each rounded once; never more than ``base``. Percentages do not compound."""
    if base <= 0:
        return NOUGHT
    with localcontext(prec=60):
        found = sum(
            (quantize(base * off.percent / HUNDRED if off.percent is not None else off.amount or NOUGHT, decimals)
             for off in offs),
            NOUGHT,
        )  # fmt: skip
    return min(found, base)


def take_off(items: Sequence[Item], offs: Iterable[Off], decimals: int) -> None:
    """Spread the discounts over the lines that they are for; with credits among them over the rates first, so that what
    credits bring to nothing at one rate has no part in it."""
    for item in items:
        item.discount, item.net = NOUGHT, item.total
    for of_rate in _groups(item for item in items if item.discounted).values():
        if _sum(of_rate) < 0:  # credits without what they give back
            for item in of_rate:
                item.discounted = item.total >= 0
    members = [item for item in items if item.discounted]
    groups = list(_groups(members).values())
    off = discount_of(offs, _sum(members), decimals)
    parts: list[tuple[Decimal, Sequence[Item]]] = [(off, members)]
    if len(groups) > 1 and any(item.total < 0 for item in members):
        parts = list(zip(spread(off, [_sum(of_rate) for of_rate in groups], decimals), groups, strict=True))
    for part, together in parts:
        for item, share in zip(together, spread(part, [item.total for item in together], decimals), strict=True):
            item.discount, item.net = share, item.total - share


def sum_up(items: Sequence[Item], *, inclusive: bool, decimals: int) -> Totals:
    """The sums of the document; each rate is rounded once."""
    taxes, before = [], NOUGHT
    for (category, rate, label), members in sorted(_groups(items).items()):
        tax = Tax(label, rate, inclusive)
        sums = apply(tax, sum((item.net for item in members), NOUGHT), decimals)
        before += apply(tax, sum((item.total for item in members), NOUGHT), decimals).subtotal
        taxes.append(TaxSum(label, rate, category, sums.subtotal, sums.tax))
    tax_sum = sum((each.amount for each in taxes), NOUGHT)
    net = sum((each.base for each in taxes), NOUGHT)
    return Totals(before, before - net, tax_sum, net + tax_sum, tuple(taxes))


def _groups(items: Iterable[Item]) -> dict[tuple[str, Decimal, str], list[Item]]:
    found: dict[tuple[str, Decimal, str], list[Item]] = {}
    for item in items:
        found.setdefault(item.group, []).append(item)
    return found


def _sum(items: Iterable[Item]) -> Decimal:
    return sum((item.total for item in items), NOUGHT)


def _units(amount: Decimal, decimals: int) -> int:
    scaled = amount.scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} has more than {decimals} places")
    return int(scaled)
