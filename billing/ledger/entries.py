"""The one way in which an entry is made: of pairs, so that what is debited is what is credited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from billing.ledger.facts import Fact, Side
from billing.models import JournalEntry, JournalPosting


class Unbalanced(ValueError):
    """The sides of a fact do not come to nought; nothing is written."""


def pairs_of(sides: Mapping[Side, Decimal]) -> list[tuple[Side, Side, Decimal]]:
    """(debit, credit, amount): the same sides always make the same pairs. Raises ``Unbalanced``."""
    if sum(sides.values(), Decimal(0)):
        raise Unbalanced(f"{dict(sides)} does not balance")
    order = sorted(sides.items(), key=lambda pair: (pair[0][0], pair[0][1] or date.min))
    given = {side: -amount for side, amount in order if amount < 0}
    found: list[tuple[Side, Side, Decimal]] = []
    for side, rest in ((side, amount) for side, amount in order if amount > 0):
        for other, there in given.items():
            amount = min(rest, there)
            if not amount or other[0] == side[0]:
                continue
            found.append((side, other, amount))
            given[other] -= amount
            rest -= amount  # noqa: PLW2901 - what of the side is left
        if rest:
            raise Unbalanced(f"{side[0]} has no other account to move {rest} to")
    return found


def make_entry(
    fact: Fact, sides: Mapping[Side, Decimal], *, sequence: int, open_from: date | None, by: str,
    reverses: int | None = None,
) -> tuple[JournalEntry, list[JournalPosting]]:  # fmt: skip
    """``sides`` of the fact as an entry and its postings, unsaved; dated on its day, or on ``open_from``, the first day
    that is not closed."""
    pairs = pairs_of(sides)
    entry = JournalEntry(
        kind=fact.kind, source_id=fact.source_id, part=fact.part, sequence=sequence,
        date=max(fact.on, open_from or fact.on), fact_date=fact.on, currency=fact.currency,
        document=fact.document[:80], text=fact.text[:255], organisation_id=fact.organisation_id,
        user_id=fact.user_id, invoice_id=fact.invoice_id, receipt_id=fact.receipt_id, reverses_id=reverses,
        postings_count=len(pairs), posted_by=by,
    )  # fmt: skip
    postings = [
        JournalPosting(
            entry=entry, position=position, debit=debit[0], credit=credit[0], amount=amount, debit_month=debit[1],
            credit_month=credit[1],
        )
        for position, (debit, credit, amount) in enumerate(pairs, 1)
    ]  # fmt: skip
    return entry, postings
