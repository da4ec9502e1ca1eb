"""Fees that came back, in part or in whole, when their subscription ended or changed: by a credit of its own, on this
invoice or another one, or on none yet. A credit note must not give the same money once more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from billing.models import ChargeKind, InvoiceLine, LineKind, SubscriptionCharge
from billing.selectors.fees import taken_back
from core.money import places, quantize

NOUGHT = Decimal(0)


@dataclass(frozen=True, slots=True)
class Back:
    """``amount`` as amounts stand on the fee's line; ``line``: number of the credit's line where it is on the same
    invoice, which a credit note can take back together with the fee."""

    amount: Decimal
    line: int | None = None


def came_back(lines: Sequence[InvoiceLine]) -> dict[int, list[Back]]:
    """Of lines of one invoice: number of a fee's line to what came back of it."""
    fees = {
        line.source["charge"]: line
        for line in lines
        if line.kind in (LineKind.FEE, LineKind.PRORATION) and line.net > 0 and "charge" in line.source
    }
    if not fees:
        return {}
    here = {line.source["charge"]: line.line_number for line in lines if line.kind == LineKind.PRORATION}
    rows = SubscriptionCharge.objects.filter(subscription__in={line.subscription_id for line in fees.values()})
    charges = {row.pk: row for row in rows.order_by("due_at", "pk")}
    found: dict[int, list[Back]] = defaultdict(list)
    for credit, of, amount in _standing(charges):
        if of.pk in fees and amount:
            line = fees[of.pk]
            with localcontext(prec=60):
                part = quantize(line.net * min(amount / of.amount, Decimal(1)), places(line.currency))
            found[line.line_number].append(Back(part, here.get(credit.pk)))
    return found


def _standing(
    charges: Mapping[int, SubscriptionCharge],
) -> Iterable[tuple[SubscriptionCharge, SubscriptionCharge, Decimal]]:
    """Credits with the fee that each gives back (the last one of the same price and end before it), and what of it has
    not been taken back itself: on its own invoice, or on one for which the rest of it was kept."""
    credits = [row for row in charges.values() if row.kind == ChargeKind.CREDIT]
    back = taken_back({row.pk: row.amount for row in credits})
    undone: dict[int, Decimal] = defaultdict(Decimal)
    for row in credits:
        # what was taken back of it where it was used, and then where it came from, counts once
        own = back.get(row.pk, NOUGHT) + Decimal(row.explanation.get("undone", 0))
        undone[_origin(row, charges)] += _before_discount(row, own)
    latest: dict[tuple[int, int, object], SubscriptionCharge] = {}
    for row in charges.values():
        key = (row.subscription_id, row.price_id, row.period_end)
        if row.kind != ChargeKind.CREDIT:
            latest[key] = row
        elif "carried_from" not in row.explanation and key in latest:
            yield row, latest[key], max(undone[row.pk] - row.amount, NOUGHT)


def _before_discount(row: SubscriptionCharge, amount: Decimal) -> Decimal:
    """What is kept of a credit is after the discount of its fee; charges are before it."""
    net, total = (Decimal(row.explanation.get(name, 1)) for name in ("net", "total"))
    with localcontext(prec=60):
        return quantize(amount * total / net, places(row.currency)) if net else amount


def _origin(row: SubscriptionCharge, charges: Mapping[int, SubscriptionCharge]) -> int:
    while "carried_from" in row.explanation and (before := charges.get(row.explanation.get("charge", 0))) is not None:
        row = before
    return row.pk
