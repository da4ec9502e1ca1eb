"""Jobs, import runs and refused rows for people. Everything here is read-only but a cluster's time zone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from audit import services as audit
from core.context import actor_of
from core.errors import UsageError
from core.exports import csv_response
from usage.models import Cluster, ImportRun, Job, QuarantinedRow
from usage.services.opening import check_zone

JOB_EXPORT = (
    "job_key", "cluster", "job_id_display", "username", "account", "partition", "qos", "job_name", "state", "submit_at",
    "start_at", "end_at", "elapsed_seconds", "cpus", "gpus", "mem_mib", "nodes", "used_cpu_seconds",
    "cpu_core_seconds", "gpu_seconds", "mem_mib_seconds", "claimed_by", "source",
)  # fmt: skip


class ReadOnlyAdmin(admin.ModelAdmin):
    show_full_result_count = False
    list_per_page = 100

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = (
        "job_id_display", "username", "account", "state", "end_at", "elapsed_seconds", "cpus", "gpus", "mem_mib",
        "claimed_by",
    )  # fmt: skip
    list_filter = (("end_at", admin.DateFieldListFilter), "cluster", "state", "source")
    # Anchored: each of these can use an index or a cheap prefix; a substring search over millions of jobs cannot.
    search_fields = ("=job_id_display", "=username", "=account", "=job_key")
    search_help_text = _("Exact job id, user, account or job key")
    actions = ("export_csv",)

    @admin.action(description=_("Export the selected jobs as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Job]) -> StreamingHttpResponse:
        audit.record(actor=actor_of(request), action="usage_export", target="jobs")
        return csv_response("jobs.csv", JOB_EXPORT, _job_rows(queryset))


def _job_rows(queryset: QuerySet[Job]) -> Iterator[list[Any]]:
    for row in queryset.values_list(*JOB_EXPORT).iterator(chunk_size=2000):
        yield [cell.isoformat() if hasattr(cell, "isoformat") else cell for cell in row]


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "started_at", "source", "cluster", "status", "rows_read", "imported", "updated", "duplicate", "steps",
        "pending", "refused_rows", "actor",
    )  # fmt: skip
    list_filter = ("status", "source", "cluster")
    search_fields = ("file_name", "=file_sha256")

    @admin.display(description=_("refused"), ordering="quarantined")
    def refused_rows(self, run: ImportRun) -> str:
        if not run.quarantined:
            return "0"
        where = reverse(f"{self.admin_site.name}:usage_quarantinedrow_changelist")
        return format_html('<a href="{}?run__id__exact={}">{}</a>', where, run.pk, run.quarantined)


@admin.register(QuarantinedRow)
class QuarantinedRowAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "reason", "detail", "line_no", "source", "run", "beginning")
    list_filter = ("reason", "source", ("run", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("run",)
    search_fields = ("raw", "detail")

    @admin.display(description=_("text of the row"))
    def beginning(self, row: QuarantinedRow) -> str:
        return row.raw[:80]


class ClusterForm(forms.ModelForm):
    class Meta:
        model = Cluster
        fields = ("timezone",)

    def clean_timezone(self) -> str:
        zone: str = self.cleaned_data["timezone"]
        if zone:
            try:
                check_zone(zone)
            except UsageError as error:
                raise forms.ValidationError(error.message) from error
        return zone


@admin.register(Cluster)
class ClusterAdmin(admin.ModelAdmin):
    """A cluster appears with its first job; its name is part of every job key and does not change."""

    form = ClusterForm
    list_display = ("name", "timezone", "created_at")
    fields = ("name", "timezone")
    readonly_fields = ("name",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Cluster | None = None) -> bool:
        return False
