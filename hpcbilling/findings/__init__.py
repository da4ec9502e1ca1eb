"""One line of what needs attention, and the way to its list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Model, QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode

from core.database.counting import count_rows


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the list: how many (rows that are still to be counted, or a number), of what, what to do, where."""

    rows: QuerySet[Any] | int
    what: str
    advice: str
    url: str
    tone: str = "warn"

    @property
    def number(self) -> int:
        return self.rows if isinstance(self.rows, int) else self.rows.count()


def counted(findings: Iterable[Finding]) -> list[Finding]:
    """Those of which there is something, all counted in one statement."""
    listed = list(findings)
    waiting = {str(place): each.rows for place, each in enumerate(listed) if not isinstance(each.rows, int)}
    numbers = count_rows(waiting)
    done = [replace(each, rows=numbers.get(str(place), each.rows)) for place, each in enumerate(listed)]
    return [each for each in done if each.rows]


def list_url(model: type[Model], **lookups: object) -> str:
    """The admin list of ``model`` with a filter; empty when it is not registered."""
    meta = model._meta
    try:
        address = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    except NoReverseMatch:
        return ""
    return f"{address}?{urlencode({name: str(value) for name, value in lookups.items()})}" if lookups else address
