"""The month of an organisation, as its own calendar has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils.translation import override

from accounts.models import Organisation
from billing.models import Invoice, InvoiceStatus
from core.money import places
from core.periods import Window, day_start, month_start, next_month


@dataclass(frozen=True, slots=True)
class Month:
    """``billed_to``: the end of the latest month that was billed before it. What ended before then and is on no
    document came late, and goes on this invoice."""

    organisation: Organisation
    first: date
    billed_to: datetime | None = None

    @property
    def window(self) -> Window:
        zone = self.organisation.zone
        return Window(day_start(self.first, zone), day_start(next_month(self.first), zone))

    @property
    def start(self) -> datetime:
        return day_start(self.first, self.organisation.zone)

    @property
    def end(self) -> datetime:
        return day_start(next_month(self.first), self.organisation.zone)

    @property
    def last_instant(self) -> datetime:
        return self.end - timedelta(microseconds=1)

    @property
    def currency(self) -> str:
        return self.organisation.currency

    @property
    def decimals(self) -> int:
        return places(self.currency)

    def takes(self, moment: datetime) -> bool:
        """Whether what happened at ``moment`` belongs on its invoice, if it is on none."""
        return self.window.holds(moment) or (self.billed_to is not None and moment < self.billed_to)


def months_of(organisations: Iterable[Organisation], month: date) -> list[Month]:
    """One query, however many they are."""
    first, wanted = month_start(month), list(organisations)
    billed = Invoice.objects.filter(organisation__in=[each.pk for each in wanted]).exclude(
        status__in=(InvoiceStatus.DRAFT, InvoiceStatus.CANCELED)
    )
    latest: dict[int, date] = {}
    for organisation, year, number in billed.values_list("organisation", "year", "month"):
        found = date(year, number, 1)
        if found < first:
            latest[organisation] = max(found, latest.get(organisation, found))
    return [
        Month(each, first, day_start(next_month(latest[each.pk]), each.zone) if each.pk in latest else None)
        for each in wanted
    ]


def in_both(words: Callable[[], object]) -> tuple[str, str]:
    """The same words in English and in Thai, as documents keep them."""
    with override("en"):
        english = str(words())
    with override("th"):
        return english[:255], str(words())[:255]
