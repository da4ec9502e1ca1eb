"""What a report is, and what it may be asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from core.errors import BadInput
from core.exports import Column, Kind, Row
from core.money import is_currency
from core.periods import month_end, month_start
from core.registry import load

MONTHS, AS_OF = "months", "as_of"
PERMISSION = "billing.view_journalentry"


@dataclass(frozen=True, slots=True)
class Asked:
    """``start`` and ``end`` are first days of months, both included; ``as_of`` a day. ``organisation`` is its key, 0
    for all. ``of`` names one figure, for the rows that make it."""

    start: date | None = None
    end: date | None = None
    as_of: date | None = None
    currency: str = ""
    organisation: int = 0
    of: str = ""

    def limits(self, **columns: str) -> dict[str, Any]:
        """Lookups by column for ``start`` and ``end`` (days within the months), ``currency`` and ``organisation``."""
        found: dict[str, Any] = {}
        if (name := columns.get("day")) and self.start:
            found[f"{name}__gte"] = self.start
        if name and self.end:
            found[f"{name}__lte"] = month_end(self.end)
        for what in ("currency", "organisation"):
            if (column := columns.get(what)) and (value := getattr(self, what)):
                found[column] = value
        return found

    def query(self, **changes: str) -> dict[str, str]:
        """As an address carries it."""
        found: dict[str, str] = {}
        for each in fields(self):
            if value := getattr(self, each.name):
                is_month = each.name in ("start", "end")
                found[each.name] = f"{value:%Y-%m}" if is_month else str(value)
        return found | changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``rows`` under ``columns``, in bounded memory and a number of statements that does not grow with them.

    A row is either a figure, and ``key`` names it for ``detail``, whose rows make it; or it is a row of a thing that
    has a page, and ``url`` is its address in the console. ``period``: by months, or as of a day. ``posts``: it reads
    the journal, which is brought up to date first. ``words`` are for cells that hold codes, by column. ``months``: how
    many a page shows unasked, the current one last. ``for_machines``: columns of the files and the API alone.
    """

    name: str
    title: str | Promise
    lead: str | Promise
    columns: tuple[Column, ...]
    rows: Callable[[Asked], Iterable[Row]]
    period: str = MONTHS
    months: int = 2
    by_organisation: bool = True
    posts: bool = False
    key: Callable[[dict[str, Any]], str] | None = None
    url: Callable[[dict[str, Any]], str] | None = None
    detail: Report | None = None
    words: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    for_machines: frozenset[str] = frozenset()

    def named(self, row: Row) -> dict[str, Any]:
        return dict(zip((column.name for column in self.columns), row, strict=True))

    def totals(self, rows: Sequence[Row]) -> list[tuple[str, dict[str, Decimal]]]:
        """Sums of the columns of money by currency; none where a row has no currency, and never of several together."""
        money = [column.name for column in self.columns if column.kind == Kind.MONEY]
        found: dict[str, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(money, Decimal(0)))
        for row in map(self.named, rows):
            if currency := str(row.get("currency") or ""):
                for name in money:
                    found[currency][name] += row[name] or Decimal(0)
        return sorted(found.items())


def find(name: str) -> Report:
    found: Report = load("REPORTS", name)
    return found


def all_reports() -> list[Report]:
    return [find(name) for name in settings.REPORTS]


def check(report: Report, asked: Asked) -> Asked:
    """Months as first days, in order. Raises ``BadInput`` by field."""
    start = month_start(asked.start) if asked.start else None
    end = month_start(asked.end) if asked.end else None
    if start and end and end < start:
        raise BadInput(_("The window ends before it begins."), field="end")
    if asked.currency and not is_currency(asked.currency):
        raise BadInput(_("ISO 4217 knows no such currency."), field="currency")
    if asked.organisation and not report.by_organisation:
        raise BadInput(_("This report has no organisations."), field="organisation")
    return Asked(start, end, asked.as_of, asked.currency, asked.organisation, asked.of)


def key_of(*names: str) -> Callable[[dict[str, Any]], str]:
    """The key of a figure: these of its cells."""

    def key(row: dict[str, Any]) -> str:
        return "|".join(f"{row[name]:%Y-%m}" if isinstance(row[name], date) else str(row[name]) for name in names)

    return key


def parts_of(asked: Asked, number: int) -> list[str]:
    """The cells that ``key_of`` put together. Raises ``BadInput``."""
    parts = asked.of.split("|")
    if len(parts) != number:
        raise BadInput(_("There is no such figure."), field="of")
    return parts


def month_of(text: str) -> date:
    """``2026-10``. Raises ``BadInput``."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise BadInput(_("There is no such figure."), field="of") from error
