"""What one currency is worth in another, at a moment.

The pair's own rate counts first, then the pair the other way round (1 / rate), then the way through the site's
currency, then through EUR; each leg of a way is a rate or one the other way round. A rate counts from its moment until
the next one of its pair; of a way with two legs, the older one says of when it is. No rate is an error, never 1.

What is computed is rounded once, half-up, to 12 places and at most 15 digits: that is the rate that a document keeps,
and its amount follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import ExchangeRate
from core.errors import Conflict
from core.money import places, quantize
from core.periods import day_start
from core.words.wording import day_text

RATE_PLACES = 12
DIGITS = 15  # as many as SQLite keeps exactly
EURO = "EUR"
SAME = "same"
SOURCE_LENGTH = 20


class MissingExchangeRate(Conflict):
    """Two currencies have no rate at a moment. Never taken as 1."""

    code = "missing_exchange_rate"


class Rate(NamedTuple):
    """1 of the base is ``rate`` of the target, from ``as_of`` on. ``source`` joins the two of a way with two legs."""

    rate: Decimal
    as_of: datetime
    source: str


class Converted(NamedTuple):
    """``amount`` has the places of the target currency: the amount before times ``rate.rate``, rounded once."""

    amount: Decimal
    rate: Rate


class _Leg(NamedTuple):
    worth: Fraction
    as_of: datetime
    source: str


@dataclass(frozen=True, slots=True)
class RateBook:
    """The rates in force at one moment: read in one query, asked often."""

    moment: datetime
    rows: Mapping[tuple[str, str], ExchangeRate]

    @classmethod
    def load(cls, moment: datetime, currencies: Iterable[str] | None = None) -> RateBook:
        """Of all pairs, or of those between ``currencies``."""
        rows = in_force(moment)
        if currencies is not None:
            among = set(currencies)
            rows = rows.filter(base_currency__in=among, target_currency__in=among)
        return cls(moment, {(row.base_currency, row.target_currency): row for row in rows})

    def rate(self, base: str, target: str) -> Rate:
        """Raises ``MissingExchangeRate``, which names the pair and the day."""
        if base == target:
            return Rate(Decimal(1), self.moment, SAME)
        found = self._leg(base, target)
        for through in (settings.PAYMENT_CURRENCY, EURO):
            found = found or self._way(base, str(through), target)
        rate = rounded(found.worth) if found else Decimal(0)
        if found is None or not rate:
            raise missing(base, target, self.moment)
        return Rate(rate, found.as_of, found.source[:SOURCE_LENGTH])

    def convert(self, amount: Decimal, base: str, target: str) -> Converted:
        """Raises ``MissingExchangeRate``."""
        rate = self.rate(base, target)
        with localcontext(prec=80):
            return Converted(quantize(amount * rate.rate, places(target)), rate)

    def _leg(self, base: str, target: str) -> _Leg | None:
        if row := self.rows.get((base, target)):
            return _Leg(Fraction(row.rate), row.effective_from, row.source)
        if row := self.rows.get((target, base)):
            return _Leg(1 / Fraction(row.rate), row.effective_from, row.source)
        return None

    def _way(self, base: str, through: str, target: str) -> _Leg | None:
        if through in (base, target):
            return None
        first, second = self._leg(base, through), self._leg(through, target)
        if first is None or second is None:
            return None
        sources = dict.fromkeys((first.source, second.source))
        return _Leg(first.worth * second.worth, min(first.as_of, second.as_of), "+".join(sources))


def rate_at(base: str, target: str, moment: datetime) -> Rate:
    """One query. Raises ``MissingExchangeRate``."""
    return RateBook.load(moment, (base, target, settings.PAYMENT_CURRENCY, EURO)).rate(base, target)


def convert(amount: Decimal, base: str, target: str, moment: datetime) -> Converted:
    """An amount in another currency, rounded once to its places, and the rate to freeze beside it."""
    return RateBook.load(moment, (base, target, settings.PAYMENT_CURRENCY, EURO)).convert(amount, base, target)


def in_force(moment: datetime) -> QuerySet[ExchangeRate]:
    open_then = Q(effective_to__isnull=True) | Q(effective_to__gt=moment)
    return ExchangeRate.objects.filter(open_then, effective_from__lte=moment)


def rounded(worth: Fraction) -> Decimal:
    """To 12 places, or fewer where the number is too large for them."""
    with localcontext(prec=80):
        exact = Decimal(worth.numerator) / Decimal(worth.denominator)
        whole = max(exact.adjusted() + 1, 0)
        return quantize(exact, max(min(RATE_PLACES, DIGITS - whole), 0))


def missing(base: str, target: str, moment: datetime) -> MissingExchangeRate:
    day = timezone.localtime(moment, timezone.get_default_timezone()).date()
    words = _("There is no exchange rate from %(base)s to %(target)s on %(day)s; set one or import it.")
    facts = {"base": base, "target": target, "day": day_text(day_start(day))}
    return MissingExchangeRate(words % facts, base=base, target=target, day=day.isoformat())
