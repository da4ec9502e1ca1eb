"""What a run of receipts would make, user by user: read for a page, or by long work that keeps it for one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from billing.selectors.jobs.billable import (
    OffLimits,
    check_window,
    groups_of,
    jobs_of_many,
    quotes_by_user,
    token_of,
    usernames_to_bill,
)
from billing.selectors.jobs.previews import TierQuote
from billing.selectors.pricing.prices import PriceBook
from core.errors import AppError


@dataclass(frozen=True, slots=True)
class Line:
    """One receipt of a user: hours with 4 places, money with 2; ``tier`` is its code."""

    tier: str
    jobs: int
    cpu_core_hours: Decimal
    gpu_hours: Decimal
    mem_gb_hours: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class Candidate:
    """One user of the run; ``token`` is the preview's, ``trouble`` says why no receipt can be made."""

    username: str
    lines: tuple[Line, ...] = ()
    token: str = ""
    trouble: str = ""


def users_to_bill(start: date | None, end: date | None, off: OffLimits | None = None) -> list[str]:
    """Users of the site with usage to bill. Those whom nobody knows here are counted among what is left out."""
    return usernames_to_bill(start, end, off=off, known=True)


def candidates(
    names: Sequence[str], start: date | None, end: date | None, book: PriceBook | None = None,
    off: OffLimits | None = None,
) -> Iterator[Candidate]:  # fmt: skip
    """What ``preview_receipts`` finds for each; the number of statements does not depend on how many there are."""
    check_window(start, end)
    book = book or PriceBook.load()
    jobs = jobs_of_many(names, start, end, off or OffLimits.load(book))
    missing: dict[str, AppError] = {}
    groups = groups_of("", jobs, book, missing)
    quotes = quotes_by_user(groups, jobs)
    for name in names:
        if name in missing:
            yield Candidate(name, trouble=missing[name].message)
        elif name in quotes:
            yield Candidate(name, tuple(map(_line, quotes[name])), token_of(quotes[name]))


def _line(quote: TierQuote) -> Line:
    return Line(str(quote.tier.pk), quote.jobs, quote.cpu_core_hours, quote.gpu_hours, quote.mem_gb_hours, quote.total)


def to_text(candidate: Candidate) -> str:
    return json.dumps(asdict(candidate), default=str, ensure_ascii=False)


def from_text(text: str) -> Candidate:
    cells: dict[str, Any] = json.loads(text)
    decimals = ("cpu_core_hours", "gpu_hours", "mem_gb_hours", "total")
    lines = [Line(**{**line, **{name: Decimal(line[name]) for name in decimals}}) for line in cells["lines"]]
    return Candidate(cells["username"], tuple(lines), cells["token"], cells["trouble"])
