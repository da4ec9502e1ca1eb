"""Amounts of other currencies in the invoice's own, at the rate of the end of its month, frozen on the line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, localcontext

from billing.invoicing.months import Month
from billing.models import InvoiceLine
from billing.selectors.pricing.exchange import RateBook
from core.money import places, quantize

Books = dict[datetime, RateBook]


def books_of(months: Iterable[Month]) -> Books:
    """The rates at the end of these months: a query for each moment, of which there are as many as time zones."""
    return {moment: RateBook.load(moment) for moment in sorted({month.last_instant for month in months})}


def price_line(line: InvoiceLine, amount: Decimal, currency: str, book: RateBook) -> None:
    """Put ``amount`` on the line: rounded in its own currency first, then converted and rounded in the line's.

    Raises ``MissingExchangeRate``.
    """
    with localcontext(prec=80):  # the usual 28 digits are fewer than a metric and its price may have
        own = quantize(amount, places(currency))
    if currency == line.currency:
        line.total = own
        return
    found = book.convert(own, currency, line.currency)
    line.original_amount, line.original_currency = own, currency
    line.exchange_rate, line.exchange_rate_at = found.rate.rate, found.rate.as_of
    line.exchange_source, line.total = found.rate.source, found.amount
