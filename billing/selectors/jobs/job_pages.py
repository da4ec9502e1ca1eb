"""Priced jobs, a page at a time: what has not ended first, then the newest end. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from billing.selectors.jobs.usage import UsageFilter, UsageRow, rows_of
from billing.selectors.pricing.prices import PriceBook
from core.api.paging import BadCursor, behind, cursor_of, key_of, read_cursor
from usage.models import Job

_ENDED = ("end_at", "id")


@dataclass(frozen=True, slots=True)
class UsagePage:
    """``next_cursor`` leads to the jobs behind; empty on the last page."""

    rows: list[UsageRow]
    next_cursor: str


def page(flt: UsageFilter, *, after: str = "", size: int = 50, book: PriceBook | None = None) -> UsagePage:
    """The same seven queries or fewer, whatever the number of jobs. Raises ``BadCursor``."""
    jobs = flt.jobs()
    key = read_cursor(after, 3) if after else ["open", "", None]
    ended = jobs.filter(end_at__isnull=False).order_by("-end_at", "-id")
    found: list[Job] = []
    if key[0] == "open":
        still = jobs.filter(end_at__isnull=True).order_by("-id")
        found = list((behind(still, ("id",), key[2:]) if after else still)[: size + 1])
    elif key[0] == "ended":
        ended = behind(ended, _ENDED, key[1:])  # type: ignore[assignment]
    else:
        raise BadCursor
    found += ended[: size + 1 - len(found)]
    shown = found[:size]
    return UsagePage(rows_of(shown, book), _cursor(shown[-1]) if len(found) > size else "")


def _cursor(job: Job) -> str:
    return cursor_of(["ended", *key_of(job, _ENDED)] if job.end_at else ["open", "", job.pk])
