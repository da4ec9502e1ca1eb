"""The reference rates of the European Central Bank: ``eurofxref-daily.xml`` and the histories of the same form.

A rate of a day counts from 16:00 of Frankfurt on that day, about when it is published: no moment has a rate that
nobody could know then. It stays until the next one, over weekends and holidays of the bank. Documents with a DTD are
refused, so nothing in one can be expanded or fetched.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from xml.parsers import expat
from zoneinfo import ZoneInfo

from billing.feeds import Reading
from billing.services.pricing.exchange import Quote, fits
from core.errors import BadInput
from core.money import is_currency
from core.numerals import written

EURO = "EUR"
PUBLISHED, ZONE = time(16), ZoneInfo("Europe/Berlin")
YEARS = range(1999, 2200)
LONGEST = 40  # of a value that is shown
MOST_NOTES = 20


def read(body: bytes) -> Reading:
    """Raises ``BadInput`` for what is no such document, or one without any rate."""
    found = _Document()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = found.doctype
    parser.StartElementHandler = found.start
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise BadInput(f"no XML that can be read ({error})") from error
    if not found.reading.quotes:
        raise BadInput("no exchange rate in it; eurofxref-daily.xml of the ECB is wanted")
    return found.reading


class _Document:
    def __init__(self) -> None:
        self.reading = Reading()
        self.day: date | None = None
        self.seen: set[tuple[date, str]] = set()

    def doctype(self, *args: object) -> None:
        raise BadInput("it has a DTD, which no such document has")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] != "Cube":
            return
        if "time" in attributes:
            self.day = self._day(attributes["time"])
        elif "currency" in attributes or "rate" in attributes:
            self._rate(attributes.get("currency", ""), attributes.get("rate", ""))

    def _day(self, text: str) -> date | None:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = None
        if day is None or day.year not in YEARS or text != day.isoformat():
            self._refuse(f"{text[:LONGEST]!r} is no day")
            return None
        return day

    def _rate(self, currency: str, text: str) -> None:
        where = f"{self.day} {currency[:LONGEST]}"
        try:
            rate = Decimal(written(text)) if text.isascii() else Decimal("NaN")
        except (InvalidOperation, ValueError):
            rate = Decimal("NaN")
        if self.day is None:
            self._refuse(f"{currency[:LONGEST]}: a rate of no day")
        elif not is_currency(currency) or currency == EURO:
            self._refuse(f"{where}: no currency")
        elif not fits(rate):
            self._refuse(f"{where}: {text[:LONGEST]!r} is no rate")
        elif (self.day, currency) in self.seen:
            self._refuse(f"{where}: given twice, the first one counts")
        else:
            self.seen.add((self.day, currency))
            moment = datetime.combine(self.day, PUBLISHED, ZONE).astimezone(UTC)
            self.reading.quotes.append(Quote(EURO, currency, rate, moment))

    def _refuse(self, words: str) -> None:
        self.reading.refused += 1
        if self.reading.refused <= MOST_NOTES:
            self.reading.notes.append(words)
