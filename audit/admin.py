"""Read-only viewer of the log, with CSV export."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from audit import registry
from audit.exporting import recorded
from audit.exports import COLUMNS, log_rows
from audit.models import AuditLog
from audit.standing import standing
from core.console.admin import ReadOnlyAdmin
from core.console.list_filters import KnownFilter
from core.context import actor_of
from core.exports import csv_response, table_lines


class ActionFilter(KnownFilter):
    title, parameter_name = _("action"), "action"
    known = staticmethod(lambda: sorted(registry.choices(), key=lambda choice: choice[1].casefold()))


# How an act ended, in words; others stay as they are.
ENDS = {
    "ok": pgettext_lazy("audit", "done at once"),
    "refused": pgettext_lazy("audit", "refused"),
    "started": pgettext_lazy("audit", "started"),
    "done": pgettext_lazy("audit", "done"),
    "failed": pgettext_lazy("audit", "failed"),
    "broken_off": pgettext_lazy("audit", "broken off"),
}


class StatusFilter(KnownFilter):
    title, parameter_name = _("status"), "status"
    known = staticmethod(lambda: [(name, str(words)) for name, words in ENDS.items()])


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
    list_display = ("number", "ts", "actor", "action_name", "target", "end", "ip")
    fields = (
        "number", "ts", "actor", "action_name", "target", "end", "extra", "changes", "ip", "user_agent", "request_id",
        "entity_type", "entity_id", "prev_hash", "hash",
    )  # fmt: skip
    list_filter = (("ts", admin.DateFieldListFilter), ActionFilter, StatusFilter)
    search_fields = ("actor__exact", "target__exact", "request_id__exact", "entity_id__exact")
    search_help_text = _("Exact user, target, request id or id of the row")
    list_per_page = 100
    actions = ("export_csv",)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {**(extra_context or {}), "standing": standing()})

    @admin.display(description=_("number"), ordering="id")
    def number(self, row: AuditLog) -> int:
        return row.pk

    @admin.display(description=_("status"), ordering="status")
    def end(self, row: AuditLog) -> str:
        return str(ENDS.get(row.status, row.status))

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
