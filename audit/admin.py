"""Read-only viewer of the log, with CSV export."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from audit import registry
from audit.exporting import recorded
from audit.exports import COLUMNS, log_rows
from audit.models import AuditLog
from core.admin import ReadOnlyAdmin
from core.context import actor_of
from core.exports import csv_response, table_lines
from core.list_filters import KnownFilter


class ActionFilter(KnownFilter):
    title, parameter_name = _("action"), "action"
    known = staticmethod(lambda: sorted(registry.choices(), key=lambda choice: choice[1].casefold()))


class StatusFilter(KnownFilter):
    title, parameter_name = _("status"), "status"
    known = staticmethod(lambda: ("ok", "refused", "started", "done", "broken_off"))


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
    list_display = ("id", "ts", "actor", "action_name", "target", "status", "ip")
    list_filter = (("ts", admin.DateFieldListFilter), ActionFilter, StatusFilter)
    search_fields = ("actor__exact", "target__exact", "request_id__exact", "entity_id__exact")
    search_help_text = _("Exact user, target, request id or id of the row")
    list_per_page = 100
    actions = ("export_csv",)

    @admin.display(description=_("action"), ordering="action")
    def action_name(self, row: AuditLog) -> str:
        return format_html("{} <code>{}</code>", row.action_label, row.action)

    @admin.action(description=_("Export the selected entries as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[AuditLog]) -> StreamingHttpResponse:
        rows = recorded(
            actor=actor_of(request),
            target="audit_log",
            asked={"format": "csv", "chosen": True},
            rows=log_rows(queryset),
        )
        return csv_response("audit_log.csv", table_lines(COLUMNS, rows))
