"""Jobs for people: seen, exported, held ones cleared. ``billing.admin`` registers this with the answer on billing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from audit.exporting import recorded
from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin, console_day
from core.console.list_filters import KnownFilter
from core.context import actor_of
from core.exports import csv_lines, csv_response
from usage.finding import BILLABLE, jobs_called
from usage.models import Cluster, Hold, Job
from usage.models.jobs import JobQuerySet
from usage.parsing import KNOWN_STATES
from usage.raws import read_raw
from usage.services.holds import clear_hold, longest_start, never_closed

JOB_EXPORT = (
    "job_key", "cluster", "job_id_display", "username", "account", "partition", "qos", "job_name", "state", "submit_at",
    "start_at", "end_at", "elapsed_seconds", "cpus", "gpus", "mem_mib", "nodes", "used_cpu_seconds",
    "cpu_core_seconds", "gpu_seconds", "mem_mib_seconds", "claimed_by", "hold", "source",
)  # fmt: skip


class HoldFilter(admin.SimpleListFilter):
    title = _("held back")
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("runaway", gettext("Held: implausibly long")),
            ("cleared", gettext("Cleared by finance")),
            ("open", gettext("Never closed: started long ago")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "open":
            return queryset.filter(never_closed())
        if self.value() in (Hold.RUNAWAY, Hold.CLEARED):
            return queryset.filter(hold=self.value(), end_at__isnull=False)
        return queryset


class BillingFilter(admin.SimpleListFilter):
    """What the front page calls not billed yet: free, running and held jobs are no document's either."""

    title, parameter_name = _("billing"), "billing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(BILLABLE, gettext("Billable, not billed yet")), ("billed", gettext("Billed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == BILLABLE and isinstance(queryset, JobQuerySet):
            return queryset.real().unbilled().chargeable(settings.BILLING_FREE_STATES)
        return queryset.exclude(claimed_by="") if self.value() == "billed" else queryset


class ClusterFilter(KnownFilter):
    title, parameter_name = _("cluster"), "cluster"
    known = staticmethod(lambda: Cluster.objects.order_by("name").values_list("name", flat=True))


class StateFilter(KnownFilter):
    title, parameter_name = _("state"), "state"
    known = staticmethod(lambda: sorted(KNOWN_STATES))


class SourceFilter(KnownFilter):
    title, parameter_name = _("source"), "source"
    known = staticmethod(lambda: sorted(settings.USAGE_SOURCES))


class JobAdmin(PageActions, ReadOnlyAdmin):
    list_display = (
        "job_id_display", "username", "account", "state", "end_at", "elapsed_seconds", "cpus", "gpus", "mem_mib",
        "claimed_by", "flag",
    )  # fmt: skip
    list_filter = (
        BillingFilter,
        HoldFilter,
        ("end_at", admin.DateFieldListFilter),
        ClusterFilter,
        StateFilter,
        SourceFilter,
    )
    list_per_page = 100
    ordering = ("-id",)  # as they came: that order has an index for all users together
    search_fields = ("username",)  # shows the box; what it finds is said below
    search_help_text = _("Exact job id, user, account or job key")
    actions = ("clear_hold_action", "export_csv")
    page_actions = ("clear_hold_action",)
    fieldsets = (
        (None, {"fields": ("job_id_display", "username", "account", "cluster", "state", "flag", "claimed_by")}),
        (_("Times"), {"fields": ("submit_at", "start_at", "end_at", "elapsed_seconds", "overlap_seconds")}),
        (_("What it held"), {"fields": ("cpus", "gpus", "gpu_types", "mem_mib", "nodes", "cpu_core_seconds",
                                        "gpu_seconds", "mem_mib_seconds", "used_cpu_seconds", "billing_tres")}),
        (_("What it asked for"), {"fields": ("req_cpus", "req_gpus", "req_mem_mib")}),
        (_("Where it belongs"), {"fields": ("job_name", "partition", "qos", "exit_code", "array_job_id",
                                            "array_task_id", "het_job_id", "het_offset", "job_key", "job_id")}),
        (_("Where it comes from"), {"fields": ("source", "import_run", "created_at", "updated_at", "record")}),
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """Exact, so that each part has an index: a substring search over millions of jobs has none."""
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(Q(username=term) | Q(account=term) | jobs_called(term)), False

    @admin.display(description=_("held back"), ordering="hold")
    def flag(self, job: Job) -> str:
        if job.end_at is None:
            return gettext("never closed") if job.start_at and job.start_at < longest_start() else "–"
        words = {Hold.RUNAWAY: gettext("held: implausibly long"), Hold.CLEARED: gettext("cleared")}
        return words.get(Hold(job.hold), "–")

    @admin.display(description=_("record as it came"))
    def record(self, job: Job) -> str:
        cells = read_raw(job)
        if not cells:
            return "–"
        rows = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', cells.items())
        return format_html('<table class="cells">{}</table>', rows)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        jobs = super().get_queryset(request)
        opened = request.resolver_match and "object_id" in request.resolver_match.kwargs
        return jobs.select_related("import_run") if opened else jobs.defer("raw")

    def has_page_action(self, job: Job, name: str) -> bool:
        return job.hold == Hold.RUNAWAY and job.end_at is not None

    def has_clear_hold_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usage.change_job")

    @admin.action(description=_("Clear hold …"), permissions=["clear_hold"])
    def clear_hold_action(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return CLEAR.answer(self, request, queryset)

    @admin.action(description=_("Export the selected jobs as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Job]) -> StreamingHttpResponse:
        asked = {"format": "csv", "chosen": True}
        rows = recorded(actor=actor_of(request), target="jobs", asked=asked, rows=_job_rows(queryset))
        return csv_response("jobs.csv", csv_lines(JOB_EXPORT, rows))


def _job_rows(queryset: QuerySet[Job]) -> Iterator[list[Any]]:
    for row in queryset.values_list(*JOB_EXPORT).iterator(chunk_size=2000):
        yield [cell.isoformat() if hasattr(cell, "isoformat") else cell for cell in row]


def _days(job: Job) -> str:
    days = job.elapsed_seconds // 86_400
    return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}


CLEAR = ConfirmedAction(
    name="clear_hold_action",
    title=_("Clear the hold of jobs"),
    field_label=_("How you know that they really ran so long"),
    status=Hold.RUNAWAY,
    column="hold",
    headers=(_("job"), _("user"), _("account"), _("ended"), _("elapsed"), _("CPUs"), _("GPUs")),
    row=lambda job: (
        job.job_id_display, job.username, job.account, console_day(job.end_at), _days(job), str(job.cpus),
        str(job.gpus),
    ),
    button=lambda n: ngettext("Let %(n)d job be billed", "Let %(n)d jobs be billed", n) % {"n": n},
    done=lambda n: ngettext("%(n)d job may be billed now.", "%(n)d jobs may be billed now.", n) % {"n": n},
    run=lambda actor, job, text: clear_hold(actor=actor, job=job, note=text),
)  # fmt: skip
