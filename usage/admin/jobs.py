"""Jobs for people: seen, exported, never edited."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _

from audit import services as audit
from core.admin import ReadOnlyAdmin
from core.context import actor_of
from core.exports import csv_response
from usage.models import Job

JOB_EXPORT = (
    "job_key", "cluster", "job_id_display", "username", "account", "partition", "qos", "job_name", "state", "submit_at",
    "start_at", "end_at", "elapsed_seconds", "cpus", "gpus", "mem_mib", "nodes", "used_cpu_seconds",
    "cpu_core_seconds", "gpu_seconds", "mem_mib_seconds", "claimed_by", "source",
)  # fmt: skip


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_per_page = 100
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
