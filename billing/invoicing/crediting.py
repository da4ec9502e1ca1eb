"""What a credit note takes back, so that parts of it, in any order, add up to the whole to the minor unit. Pure.

The tax that has been taken back of a rate is always what the invoice's own tax comes to for the base that has been
taken back, rounded once on the sum so far; when everything is taken back it is therefore the invoice's tax exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from billing.invoicing.sums import NOUGHT, spread
from core.money import quantize

Group = tuple[str, Decimal]  # tax category and rate


@dataclass(frozen=True, slots=True)
class Left:
    """A line of the invoice: ``net`` is what stands on it (tax inside where the prices hold it), ``credited`` what of
    that has been taken back, ``given`` what came back otherwise."""

    number: int
    group: Group
    net: Decimal
    credited: Decimal
    given: Decimal = NOUGHT

    @property
    def rest(self) -> Decimal:
        return self.net - self.credited - self.given


@dataclass(frozen=True, slots=True)
class Taken:
    """One line of a credit note, without its tax and the tax."""

    number: int
    net: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class TaxOf:
    """The invoice's tax at one rate, and what of it has been taken back."""

    amount: Decimal
    credited: Decimal


def take_back(
    lines: Sequence[Left],
    wanted: Mapping[int, Decimal],
    taxes: Mapping[Group, TaxOf],
    *,
    inclusive: bool,
    decimals: int,
) -> list[Taken]:
    """``wanted``: line number to amount, as amounts stand on lines. Raises ``ValueError`` where a rate would be
    overdrawn; that no line is, is for the caller to see to."""
    found: list[Taken] = []
    for group, tax in taxes.items():
        members = [line for line in lines if line.group == group]
        asked = [line for line in members if wanted.get(line.number)]
        if not asked:
            continue
        whole = sum((line.net for line in members), NOUGHT)
        amounts = [wanted[line.number] for line in asked]
        now = sum(amounts, NOUGHT)
        sofar = sum((line.credited for line in members), NOUGHT) + now
        if now < 0 or sofar > whole:
            raise ValueError("more than the lines of this rate come to")
        with localcontext(prec=60):
            due = quantize(tax.amount * sofar / whole, decimals) if whole else NOUGHT
        shares = _shares(due - tax.credited, amounts, decimals)
        for line, amount, share in zip(asked, amounts, shares, strict=True):
            found.append(Taken(line.number, amount - share if inclusive else amount, share))
    return sorted(found, key=lambda taken: taken.number)


def _shares(tax: Decimal, amounts: Sequence[Decimal], decimals: int) -> list[Decimal]:
    """Tax by line. A step of rounding may leave tax to take back with next to no base, or the other way round."""
    if sum(amounts, NOUGHT) > 0:
        return spread(tax, amounts, decimals)
    return [tax, *[NOUGHT] * (len(amounts) - 1)]
