"""What a credit note would take back, before it is written. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.invoicing.crediting import Left, Taken, take_back
from billing.models import Invoice, InvoiceLine
from billing.selectors.came_back import Back, came_back
from billing.selectors.documents.credits import is_kept, kept_lines, lefts_of, taxes_of
from core.errors import BadInput, Conflict
from core.money import places, quantize

NOUGHT = Decimal(0)
Wanted = Mapping[int, Decimal | None] | None


class NotCreditable(Conflict):
    """Only a finalized invoice can be taken back, and only as far as something of it is left."""

    code = "invoice_not_creditable"


def plan_credit(invoice: Invoice, rows: Sequence[InvoiceLine], wanted: Wanted) -> list[Taken]:
    """What ``write_credit_note`` would take back now. Raises what that raises about lines and amounts.

    Where the invoice keeps a credit for the next one, what is taken back of the other lines of the same tax rate is
    kept, too: the note comes to nothing there, as the invoice does.
    """
    if wanted is not None and all(amount == 0 for amount in wanted.values()):
        raise BadInput(_("Name a line to take back, with an amount above 0."), field="lines")
    decimals = places(invoice.currency)
    lefts = {left.number: left for left in lefts_of(invoice, rows)}
    kept = {group: line.line_number for group, line in kept_lines(rows).items()}
    amounts = _amounts(lefts, came_back(rows), wanted, frozenset(kept.values()), decimals)
    for group, own in kept.items():
        beside = (amount for number, amount in amounts.items() if lefts[number].group == group)
        amounts[own] = -sum(beside, NOUGHT)
        if amounts[own] > lefts[own].rest:
            raise _too_much()
    amounts = {number: amount for number, amount in amounts.items() if amount}
    if not amounts:
        raise NotCreditable(_("Nothing of %(invoice)s is left to take back.") % {"invoice": invoice})
    try:
        return take_back(
            list(lefts.values()), amounts, taxes_of(invoice, rows), inclusive=invoice.tax_inclusive, decimals=decimals
        )
    except ValueError as error:
        raise _too_much() from error


def offered(invoice: Invoice, rows: Sequence[InvoiceLine]) -> list[Left]:
    """The lines of which something can be taken back by itself, and how much of each."""
    kept, back = {line.line_number for line in rows if is_kept(line)}, came_back(rows)
    found = []
    for left in lefts_of(invoice, rows):
        if left.number in kept:
            continue
        given = sum((each.amount for each in back.get(left.number, ()) if each.line is None), NOUGHT)
        found.append(replace(left, given=min(given, left.rest)) if given else left)
    return [left for left in found if left.rest]


def _amounts(
    lefts: Mapping[int, Left], back: Mapping[int, Sequence[Back]], wanted: Wanted, kept: frozenset[int],
    decimals: int,
) -> dict[int, Decimal]:  # fmt: skip
    """Line by line, without the credits that are kept: they follow the others."""
    asked: dict[int, Decimal | None] = (
        dict.fromkeys(number for number in lefts if number not in kept) if wanted is None else dict(wanted)
    )
    if own := kept & asked.keys():
        words = _("Line %(number)s is the credit that is kept; it follows the other lines.")
        raise BadInput(words % {"number": min(own)}, field="lines")
    for number in asked:
        if number not in lefts:
            raise BadInput(_("There is no line %(number)s.") % {"number": number}, field="lines")
    found = {number: lefts[number].rest if amount is None else amount for number, amount in asked.items()}
    for number, amount in asked.items():
        rest = lefts[number].rest
        if number in back:
            rest = max(rest - _standing(lefts, back[number], found), NOUGHT)
        if amount is None:
            found[number] = rest
        else:
            _check_amount(number, amount, rest, lefts[number], decimals)
    return found


def _standing(
    lefts: Mapping[int, Left], back: Sequence[Back], found: Mapping[int, Decimal]
) -> Decimal:  # fmt: skip
    """What came back of a fee by its subscription's own credit, and stays so after this note."""
    elsewhere = sum((each.amount for each in back if each.line is None), NOUGHT)
    beside = {each.line for each in back if each.line is not None}
    here = sum((found.get(number, NOUGHT) - lefts[number].rest for number in beside), NOUGHT)
    return elsewhere + here


def _check_amount(number: int, amount: Decimal, rest: Decimal, left: Left, decimals: int) -> None:
    fits = amount.is_finite() and amount * rest >= 0 and abs(amount) <= abs(rest)
    if fits and amount == round(amount, decimals):
        return
    if fits:
        words = _("Line %(number)s: more decimal places than the currency has.")
        raise BadInput(words % {"number": number}, field="lines")
    words = _("Line %(number)s: between 0 and %(rest)s, which is left of it.")
    if rest != left.rest:
        words = _(
            "Line %(number)s: between 0 and %(rest)s; the rest came back by the credit of the subscription itself."
        )
    raise BadInput(words % {"number": number, "rest": quantize(rest, decimals)}, field="lines")


def _too_much() -> BadInput:
    return BadInput(_("More than is left of the lines of this tax rate."), field="lines")
