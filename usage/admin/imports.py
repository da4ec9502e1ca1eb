"""Import runs: what was read, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from core.console.admin import ReadOnlyAdmin
from core.words.said import heard
from core.words.wording import decimal_text
from usage.admin import upload
from usage.admin.jobs import ClusterFilter, SourceFilter
from usage.models import ImportRun
from usage.reasons import in_words
from usage.services.quarantine import SOURCE


class ReadFilter(SourceFilter):
    """Released rows are runs of their own."""

    known = staticmethod(lambda: sorted([*settings.USAGE_SOURCES, SOURCE]))


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyAdmin):
    list_per_page = 100
    list_display = (
        "id", "started_at", "source", "cluster", "state", "rows_read", "imported", "updated", "duplicate", "steps",
        "pending", "refused_rows", "actor",
    )  # fmt: skip
    list_filter = ("status", ReadFilter, ClusterFilter)
    search_fields = ("file_name", "=file_sha256")
    fieldsets = (
        (None, {"fields": ("source", "cluster", "window_start", "window_end", "data_until", "status", "error",
                           "remarks")}),
        (_("Rows"), {"fields": ("rows_read", "imported", "updated", "duplicate", "steps", "pending", "refused_rows",
                                "reasons")}),
        (_("File"), {"fields": ("file_name", "file_sha256", "names", "delimiter", "timezone")}),
        (_("Times"), {"fields": ("actor", "started_at", "finished_at")}),
    )  # fmt: skip
    change_list_template = "admin/usage/importrun/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.upload_view)
        return [path("upload/", view, name="usage_importrun_upload"), *super().get_urls()]

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        return upload.view(request, {**self.admin_site.each_context(request), "opts": self.model._meta})

    @admin.display(description=_("notes"))
    def remarks(self, run: ImportRun) -> str:
        return _listed(map(heard, run.notes))

    @admin.display(description=_("refused, by reason"))
    def reasons(self, run: ImportRun) -> str:
        numbered = sorted(run.by_reason.items(), key=lambda each: -each[1])
        return _listed(f"{in_words(reason)}: {decimal_text(Decimal(number), 0)}" for reason, number in numbered)

    @admin.display(description=_("columns"))
    def names(self, run: ImportRun) -> str:
        return ", ".join(map(str, run.columns)) or "–"

    @admin.display(description=_("refused"), ordering="quarantined")
    def refused_rows(self, run: ImportRun) -> str:
        if not run.quarantined:
            return "0"
        where = reverse(f"{self.admin_site.name}:usage_quarantinedrow_changelist")
        return format_html('<a href="{}?run__id__exact={}">{}</a>', where, run.pk, run.quarantined)


def _listed(lines: Iterable[str]) -> str:
    items = format_html_join("", "<li>{}</li>", ((line,) for line in lines))
    return format_html('<ul class="plain-list">{}</ul>', items) if items else "–"
