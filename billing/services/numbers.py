"""Document numbers: one after the other within a fiscal year, without a gap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db.models import F

from billing.models import DocumentCounter
from core.database.locks import lock_for_transaction
from core.periods import fiscal_year

RECEIPTS, INVOICES, CREDIT_NOTES = "receipt", "invoice", "credit_note"
TEST = "TEST-"  # before the numbers of what belongs to test clocks


@dataclass(frozen=True, slots=True)
class Number:
    text: str
    fiscal_year: int
    serial: int | None


def next_number(series: str, prefix: str, on: date) -> Number:
    """The next number of ``series`` for a document issued on day ``on``.

    Holds the series until the caller's transaction ends, so take it late; when that
    transaction is undone, the number was never given.
    """
    return next_numbers(series, prefix, on, 1)[0]


def next_numbers(series: str, prefix: str, on: date, many: int) -> list[Number]:
    """The next ``many`` numbers at once."""
    year = fiscal_year(on, settings.FISCAL_YEAR_START_MONTH)
    lock_for_transaction("numbers", series)
    counter, _made = DocumentCounter.objects.get_or_create(series=series, fiscal_year=year)
    DocumentCounter.objects.filter(pk=counter.pk).update(last=F("last") + many)
    counter.refresh_from_db()
    serials = range(counter.last - many + 1, counter.last + 1)
    return [Number(f"{prefix}{year}-{serial:06d}", year, serial) for serial in serials]


def document_number(series: str, prefix: str, on: date, *, test: bool = False) -> Number:
    """``next_number``. A ``test`` document takes one of a series of its own, and no serial number: the series of real
    documents knows nothing of it."""
    if not test:
        return next_number(series, prefix, on)
    found = next_number(f"test_{series}", f"{TEST}{prefix}", on)
    return Number(found.text, found.fiscal_year, None)
