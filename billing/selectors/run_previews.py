"""What a run of receipts would make, user by user: read for a page, or by long work that keeps it for one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from accounts.models import User
from billing.selectors.billable import preview_receipts, usernames_to_bill
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


def users_to_bill(start: date | None, end: date | None) -> list[str]:
    """Users of the site with usage to bill. Those whom nobody knows here are counted among what is left out."""
    names = usernames_to_bill(start, end)
    known = set(User.objects.filter(username__in=names).values_list("username", flat=True))
    return [name for name in names if name in known]


def candidates(names: Iterable[str], start: date | None, end: date | None) -> Iterator[Candidate]:
    for name in names:
        try:
            preview = preview_receipts(username=name, start=start, end=end)
        except AppError as error:
            yield Candidate(name, trouble=error.message)
            continue
        lines = tuple(
            Line(str(quote.tier.pk), quote.jobs, quote.cpu_core_hours, quote.gpu_hours, quote.mem_gb_hours, quote.total)
            for quote in preview.quotes
        )
        if lines:
            yield Candidate(name, lines, preview.token)


def to_text(candidate: Candidate) -> str:
    return json.dumps(asdict(candidate), default=str, ensure_ascii=False)


def from_text(text: str) -> Candidate:
    cells: dict[str, Any] = json.loads(text)
    decimals = ("cpu_core_hours", "gpu_hours", "mem_gb_hours", "total")
    lines = [Line(**{**line, **{name: Decimal(line[name]) for name in decimals}}) for line in cells["lines"]]
    return Candidate(cells["username"], tuple(lines), cells["token"], cells["trouble"])
