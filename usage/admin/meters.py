"""Meters, and the sums that events have come to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.audited import AuditedAdmin
from core.console.admin import ReadOnlyAdmin
from core.console.list_filters import KnownFilter
from core.database.decimals import plain
from usage.models import Meter, Period, UsageAggregate

FIXED = ("code", "metric_name", "aggregation", "value_path")


@admin.register(Meter)
class MeterAdmin(AuditedAdmin):
    """What a meter reads stands once it is made: sums of before and after would not go together."""

    list_display = ("code", "label", "metric_name", "aggregation", "value_path", "unit", "is_active")
    search_fields = ("code", "name", "metric_name")
    ordering = ("code",)

    @admin.display(description=_("name"))
    def label(self, row: Meter) -> str:
        return row.label

    def get_readonly_fields(self, request: HttpRequest, obj: Meter | None = None) -> tuple[str, ...]:
        return FIXED if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Meter, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change and obj.is_derived:
            words = gettext("It counts from now on. For events of before, run: manage.py refresh_aggregates --rebuild")
            self.message_user(request, words)


class PeriodFilter(KnownFilter):
    title, parameter_name = _("period"), "period_type"
    known = staticmethod(lambda: Period.choices)  # type: ignore[assignment]


class MetricFilter(admin.SimpleListFilter):
    """By name as typed into the address; a list of all would read all sums."""

    title, parameter_name = _("metric"), "metric_name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(self.value() or "", self.value() or "")] if self.value() else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(metric_name=self.value()) if self.value() else queryset


@admin.register(UsageAggregate)
class UsageAggregateAdmin(ReadOnlyAdmin):
    list_display = (
        "period_start", "period_type", "organisation", "project_name", "metric_name", "model_id", "total", "unit",
        "event_count", "error_count", "late_count",
    )  # fmt: skip
    list_filter = (PeriodFilter, MetricFilter)
    list_select_related = ("organisation", "project")
    ordering = ("-period_start", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[UsageAggregate]:
        """A list shows months unless another period is asked for: the index begins with it."""
        rows, at = super().get_queryset(request), request.resolver_match
        whole = "period_type" in request.GET or at is None or at.kwargs
        return rows if whole else rows.filter(period_type=Period.MONTH)

    @admin.display(description=_("project"))
    def project_name(self, row: UsageAggregate) -> str:
        return row.project.name

    @admin.display(description=_("sum"))
    def total(self, row: UsageAggregate) -> str:
        return plain(row.total_value)
