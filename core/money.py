"""Money: decimal amounts with a currency beside them, and the only rounding in the product."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cache

from babel.numbers import list_currencies

HOUR_PLACES = 4
RATE_PLACES = 6
# Minor units as ISO 4217 has them, not as CLDR (Babel) does: that has none for LAK, MMK, IQD and others, as one writes
# them in shops, and a newer one would change documents that are there.
_USUAL_PLACES = 2
_OTHER_PLACES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_PLACES = {code: decimals for decimals, codes in _OTHER_PLACES.items() for code in codes.split()}


def places(currency: str) -> int:
    """Decimal places of an ISO 4217 currency: THB 2, JPY 0, KWD 3."""
    return _PLACES.get(currency, _USUAL_PLACES)


@cache
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())


def is_currency(code: str) -> bool:
    """Whether ISO 4217 knows it, in capitals as it writes it."""
    return code in _currencies()


def quantize(value: Decimal, decimals: int) -> Decimal:
    """Round half-up (away from zero) to ``decimals`` places. Nothing else in the product rounds money."""
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def in_places(value: Decimal, currency: str) -> Decimal:
    """The same amount with the places of its currency, as it is written: 5.0000 JPY is 5, 5.0000 KWD is 5.000. What has
    more places than that stays as it is: nothing is rounded away unseen."""
    found = quantize(value, places(currency))
    return found if found == value else value


def to_minor(amount: Decimal, currency: str) -> int:
    """12.34 THB -> 1234. Raises ``ValueError`` when the amount has more places than the currency."""
    scaled = amount.scaleb(places(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} has more decimal places than {currency} allows")
    return int(scaled)


def from_minor(minor: int, currency: str) -> Decimal:
    """1234 satang -> Decimal('12.34')."""
    with localcontext(prec=80):
        return Decimal(minor).scaleb(-places(currency))
