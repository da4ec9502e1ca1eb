"""What stands in the journal: what it has of a source, balances, and where it differs from documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from billing.ledger.facts import Fact, Look, Side, Source
from billing.models import AccountingPeriod, JournalEntry, JournalPosting, JournalState, PeriodStatus
from core.database.decimals import ExactSum
from core.money import places, quantize
from core.periods import next_month
from core.registry import load


@dataclass(slots=True)
class Posted:
    """What the journal has of one source, and its latest entry."""

    sides: dict[Side, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    last: dict[Side, Decimal] = field(default_factory=dict)
    last_id: int | None = None
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """``sides`` is what has to be posted, for the journal to say what the fact says."""

    fact: Fact
    source: Source
    posted: Posted
    sides: dict[Side, Decimal]

    @property
    def reverses(self) -> int | None:
        """The entry that it takes back whole."""
        takes_back = not self.fact.sides and self.sides == {side: -amount for side, amount in self.posted.last.items()}
        return self.posted.last_id if takes_back else None


def sources() -> list[Source]:
    """What makes entries, in the order in which it is posted."""
    return [load("JOURNAL_SOURCES", name) for name in settings.JOURNAL_SOURCES]


def posted_of(kinds: Sequence[str], keys: Sequence[int]) -> dict[tuple[str, int, str], Posted]:
    """Two statements."""
    found: dict[tuple[str, int, str], Posted] = defaultdict(Posted)
    condition = Q(kind__in=list(kinds), source_id__in=list(keys))
    entries = JournalEntry.objects.filter(condition).order_by("pk")
    of_entry: dict[int, tuple[Posted, dict[Side, Decimal]]] = {}
    for pk, kind, source_id, part, sequence in entries.values_list("pk", "kind", "source_id", "part", "sequence"):
        posted: Posted = found[kind, source_id, part]
        sides: dict[Side, Decimal] = defaultdict(Decimal)
        of_entry[pk] = (posted, sides)
        posted.last, posted.last_id, posted.sequence = sides, pk, sequence
    if not of_entry:
        return {}
    rows = JournalPosting.objects.filter(entry__kind__in=list(kinds), entry__source_id__in=list(keys)).order_by()
    names = ("entry_id", "debit", "debit_month", "credit", "credit_month", "amount")
    for entry, debit, debit_month, credit, credit_month, amount in rows.values_list(*names):
        posted, latest = of_entry[entry]
        for each in (posted.sides, latest):
            each[debit, debit_month] += amount
            each[credit, credit_month] -= amount
    return found


def differences_of(source: Source, facts: Sequence[Fact]) -> Iterator[Difference]:
    """Where the journal does not say what these facts say."""
    posted = posted_of(source.kinds, sorted({fact.source_id for fact in facts}))
    for fact in facts:
        there = posted.get(fact.key, Posted())
        sides = {
            side: amount
            for side in {*fact.sides, *there.sides}
            if (amount := fact.sides.get(side, Decimal(0)) - there.sides.get(side, Decimal(0)))
        }
        if sides:
            yield Difference(fact, source, there, sides)


def differences(look: Look | None = None) -> Iterator[Difference]:
    """What ``post_journal`` would post; writes nothing."""
    for source in sources():
        for facts in source.facts(look or Look()):
            yield from differences_of(source, facts)


def posted_to() -> datetime | None:
    return JournalState.objects.values_list("posted_to", flat=True).first()


def open_from() -> date | None:
    """The first day that no closed period holds; None where none is closed."""
    last = AccountingPeriod.objects.filter(status=PeriodStatus.CLOSED).order_by("-month").first()
    return next_month(last.month) if last else None


def sums_by_side(postings: QuerySet[JournalPosting], *by: str) -> dict[tuple[Any, ...], Decimal]:
    """(currency, role, month, *by) to what is debited less what is credited: two statements."""
    found: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for side, sign in (("debit", 1), ("credit", -1)):
        keys = ("entry__currency", side, f"{side}_month", *by)
        for *key, amount in postings.order_by().values_list(*keys).annotate(sum=ExactSum("amount")):
            found[tuple(key)] += sign * Decimal(amount)
    return found


@dataclass(frozen=True, slots=True)
class Balance:
    """Of one role and currency; one of ``debit`` and ``credit`` is nought."""

    role: str
    currency: str
    debit: Decimal
    credit: Decimal

    @property
    def amount(self) -> Decimal:
        return self.debit - self.credit


def trial_balance(until: date | None = None, *, since: date | None = None, currency: str = "") -> list[Balance]:
    """Balances by currency and role of the entries dated in these days; in every currency they come to nought."""
    rows = JournalPosting.objects.all()
    limits = {"entry__date__lte": until, "entry__date__gte": since, "entry__currency": currency or None}
    rows = rows.filter(**{name: value for name, value in limits.items() if value is not None})
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for (code, role, _month), amount in sums_by_side(rows).items():
        sums[code, role] += amount
    return [
        Balance(role, code, quantize(max(amount, Decimal(0)), places(code)),
                quantize(max(-amount, Decimal(0)), places(code)))
        for (code, role), amount in sorted(sums.items())
        if amount
    ]  # fmt: skip
