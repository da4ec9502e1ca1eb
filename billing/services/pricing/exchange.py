"""Rates of exchange: set by hand or taken from a feed. A new rate ends the one before it at its own moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from audit import services as audit
from billing.models import ExchangeRate
from billing.selectors.pricing.exchange import (
    DIGITS,
    RATE_PLACES,
    Converted,
    MissingExchangeRate,
    Rate,
    RateBook,
    convert,
    rate_at,
)
from billing.services.pricing.price_checks import refuse
from core.context import Actor
from core.database.decimals import plain, size
from core.database.locks import lock_for_transaction
from core.errors import Conflict
from core.money import is_currency

__all__ = [
    "MANUAL", "Converted", "ImportResult", "MissingExchangeRate", "Quote", "Rate", "RateBook", "convert",
    "import_rates", "rate_at", "set_rate",
]  # fmt: skip
MANUAL = "manual"
LOCK = "exchange_rates"
LARGEST = Decimal(10) ** RATE_PLACES
Pair = tuple[str, str]


class Quote(NamedTuple):
    """What a feed says: 1 ``base`` is ``rate`` ``target`` from ``moment`` on."""

    base: str
    target: str
    rate: Decimal
    moment: datetime


@dataclass(slots=True)
class ImportResult:
    """``differing``: quotes for a moment that has another rate already, which stays; each has its note."""

    added: int = 0
    unchanged: int = 0
    differing: int = 0
    notes: list[str] = field(default_factory=list)


@transaction.atomic
def set_rate(
    *, actor: Actor, base: str, target: str, rate: Decimal, effective_from: datetime | None = None,
    source: str = MANUAL, metadata: Mapping[str, Any] | None = None,
) -> ExchangeRate:  # fmt: skip
    """From a moment on (default: now), until the next rate of the pair. Raises ``BadInput`` by field.

    A moment in the past is taken, between others, too: documents keep the rates that they were made with. Raises
    ``Conflict`` when the pair has a rate from this very moment on.
    """
    moment = effective_from or timezone.now()
    check_rate(base, target, rate, moment)
    lock_for_transaction(LOCK)
    quote = Quote(base, target, rate, moment)
    series = _Series((base, target), _held({(base, target)}, moment))
    if series.at(moment) is not None:
        words = _("There is a rate from %(base)s to %(target)s from this moment on already.")
        raise Conflict(words % {"base": base, "target": target}, field="effective_from")
    before = series.before(moment)
    row = series.add(quote, source=source, set_by=actor.name[:64], metadata=dict(metadata or {}))
    _write([series])
    audit.record(
        actor=actor, action="exchange_rate_set", target=f"{base}/{target}", entity=row,
        changes={"rate": [plain(before.rate) if before else None, plain(rate)]},
        extra={"effective_from": moment, "source": source},
    )  # fmt: skip
    return row


@transaction.atomic
def import_rates(*, actor: Actor, quotes: Iterable[Quote], source: str, dry_run: bool = False) -> ImportResult:
    """Take over what a feed says; what is there already stays, so that it may be repeated. One audit entry."""
    result, wanted = ImportResult(), sorted(set(quotes), key=lambda quote: quote.moment)
    lock_for_transaction(LOCK)
    if not wanted:
        return result
    held = _held({(quote.base, quote.target) for quote in wanted}, wanted[0].moment)
    series: dict[Pair, _Series] = {}
    for quote in wanted:
        pair = (quote.base, quote.target)
        mine = series.setdefault(pair, _Series(pair, held))
        there = mine.at(quote.moment)
        if there is None:
            mine.add(quote, source=source, set_by=actor.name[:64], metadata={})
            result.added += 1
        elif there.rate == quote.rate:
            result.unchanged += 1
        else:
            result.differing += 1
            result.notes.append(
                f"{quote.base}/{quote.target} {quote.moment:%Y-%m-%d}: {there.rate.normalize():f} stays,"
                f" the feed says {quote.rate:f}"
            )
    if dry_run or not result.added:
        return result
    _write(series.values())
    days = sorted({quote.moment for quote in wanted})
    extra = {"added": result.added, "unchanged": result.unchanged, "differing": result.differing,
             "from": days[0], "to": days[-1]}  # fmt: skip
    audit.record(actor=actor, action="exchange_rates_import", target=source, extra=extra)
    return result


def check_rate(base: str, target: str, rate: Decimal, moment: datetime) -> None:
    """Raises ``BadInput`` with what is wrong, by field."""
    wrong: dict[str, list[str]] = {}
    for name, code in (("base_currency", base), ("target_currency", target)):
        if not is_currency(code):
            wrong[name] = [_("Three capital letters of a currency, such as THB.")]
    if base == target and not wrong:
        wrong["target_currency"] = [_("Two different currencies are wanted.")]
    if not fits(rate):
        words = _("A rate is above 0, with at most %(places)d places and %(digits)d digits.")
        wrong["rate"] = [words % {"places": RATE_PLACES, "digits": DIGITS}]
    if not 2000 <= moment.year < 2200:  # noqa: PLR2004 - as invoices have it
        wrong["effective_from"] = [_("A year from 2000 to 2199 is wanted.")]
    refuse(wrong)


def fits(rate: Decimal) -> bool:
    """Whether both databases keep it exactly."""
    if not rate.is_finite() or not 0 < rate < LARGEST:
        return False
    whole, behind = size(rate)
    return behind <= RATE_PLACES and whole + behind <= DIGITS


class _Series:
    """The rates of one pair, in their order, and what is to be written of them."""

    def __init__(self, pair: Pair, held: Mapping[Pair, list[ExchangeRate]]) -> None:
        self.rows = list(held.get(pair, ()))
        self.new: list[ExchangeRate] = []
        self.ended: dict[int, ExchangeRate] = {}

    def at(self, moment: datetime) -> ExchangeRate | None:
        return next((row for row in reversed(self.rows) if row.effective_from == moment), None)

    def before(self, moment: datetime) -> ExchangeRate | None:
        return next((row for row in reversed(self.rows) if row.effective_from < moment), None)

    def add(self, quote: Quote, *, source: str, set_by: str, metadata: dict[str, Any]) -> ExchangeRate:
        row = ExchangeRate(
            base_currency=quote.base, target_currency=quote.target, rate=quote.rate, effective_from=quote.moment,
            source=source, set_by=set_by, metadata=metadata,
        )  # fmt: skip
        earlier = self.before(quote.moment)
        place = self.rows.index(earlier) + 1 if earlier is not None else 0
        row.effective_to = self.rows[place].effective_from if place < len(self.rows) else None
        if earlier is not None and (earlier.effective_to is None or earlier.effective_to > quote.moment):
            earlier.effective_to = quote.moment
            if earlier.pk is not None:
                self.ended[earlier.pk] = earlier
        self.rows.insert(place, row)
        self.new.append(row)
        return row


def _held(pairs: set[Pair], moment: datetime) -> dict[Pair, list[ExchangeRate]]:
    """What there is of these pairs from a moment on, the oldest first, in one query."""
    still_open = Q(effective_to__isnull=True) | Q(effective_to__gt=moment)
    rows = ExchangeRate.objects.filter(
        still_open | Q(effective_from__gte=moment),
        base_currency__in={base for base, _target in pairs},
        target_currency__in={target for _base, target in pairs},
    )
    held: dict[Pair, list[ExchangeRate]] = {}
    for row in rows.order_by("effective_from"):
        held.setdefault((row.base_currency, row.target_currency), []).append(row)
    return held


def _write(series: Iterable[_Series]) -> None:
    """First the ends: a pair has one open rate."""
    parts = list(series)
    ExchangeRate.objects.bulk_update([row for each in parts for row in each.ended.values()], ["effective_to"], 500)
    ExchangeRate.objects.bulk_create([row for each in parts for row in each.new], 500)
