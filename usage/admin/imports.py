"""Import runs: what was read, and what came of it."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.admin import ReadOnlyAdmin
from usage.admin import upload
from usage.admin.jobs import ClusterFilter, SourceFilter
from usage.models import ImportRun
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
    change_list_template = "admin/usage/importrun/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.upload_view)
        return [path("upload/", view, name="usage_importrun_upload"), *super().get_urls()]

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        return upload.view(request, {**self.admin_site.each_context(request), "opts": self.model._meta})

    @admin.display(description=_("refused"), ordering="quarantined")
    def refused_rows(self, run: ImportRun) -> str:
        if not run.quarantined:
            return "0"
        where = reverse(f"{self.admin_site.name}:usage_quarantinedrow_changelist")
        return format_html('<a href="{}?run__id__exact={}">{}</a>', where, run.pk, run.quarantined)
