"""Reconciliations: what was compared with its source, and what differed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.console.admin import ReadOnlyAdmin
from core.words.said import heard
from usage.admin.jobs import ClusterFilter, SourceFilter
from usage.models import Reconciliation, ReconciliationLine

LINES = 100  # on a page
_MEASURES = (
    (_("Jobs"), "stored_jobs", "source_jobs"),
    (_("Core seconds"), "stored_cpu", "source_cpu"),
    (_("GPU seconds"), "stored_gpu", "source_gpu"),
    (_("MiB seconds"), "stored_mem", "source_mem"),
)
_BY_SREPORT = (
    (_("Core seconds in the month"), "clipped_cpu", "sreport_cpu"),
    (_("GPU seconds in the month"), "clipped_gpu", "sreport_gpu"),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """What is stored beside what the other side says; both None where it was not asked."""

    stored: int | None
    other: int | None

    @property
    def differs(self) -> bool:
        return self.stored != self.other

    @property
    def difference(self) -> str:
        """With its sign; both signs are as wide as a figure."""
        number = (self.stored or 0) - (self.other or 0)
        return f"{number:+,}".replace("-", "\u2212")


@dataclass(frozen=True, slots=True)
class Row:
    line: ReconciliationLine
    measures: list[Cell]
    sreport: list[Cell]


def _cells(line: ReconciliationLine, pairs: tuple[tuple[str | Promise, str, str], ...]) -> list[Cell]:
    return [Cell(getattr(line, mine), getattr(line, theirs)) for _label, mine, theirs in pairs]


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    list_per_page = 100
    list_display = (
        "id", "started_at", "source", "cluster", "window_start", "window_end", "state", "groups", "differing", "actor",
    )  # fmt: skip
    list_filter = ("status", SourceFilter, ClusterFilter)
    fields = (
        "cluster", "source", "window_start", "window_end", "status", "groups", "differing", "remarks", "error", "actor",
        "started_at", "finished_at",
    )  # fmt: skip
    change_form_template = "admin/usage/reconciliation/change_form.html"

    @admin.display(description=_("notes"))
    def remarks(self, row: Reconciliation) -> str:
        return "\n".join(map(heard, row.notes))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        lines = ReconciliationLine.objects.none()
        if object_id.isascii() and object_id.isdecimal():
            lines = ReconciliationLine.objects.filter(reconciliation_id=int(object_id))
        page = Paginator(lines, LINES).get_page(request.GET.get("p"))
        rows = [Row(line, _cells(line, _MEASURES), _cells(line, _BY_SREPORT)) for line in page]
        asked = lines.filter(sreport_cpu__isnull=False).exists()
        context = {
            "page": page,
            "rows": rows,
            "measures": [label for label, _mine, _theirs in _MEASURES],
            "by_sreport": [label for label, _mine, _theirs in _BY_SREPORT] if asked else [],
        }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))
