"""Read-only viewer of the log, with CSV export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from audit import services
from audit.hashing import stamp
from audit.models import AuditLog
from core.admin import ReadOnlyAdmin
from core.context import actor_of
from core.exports import csv_response

EXPORT = (
    "id", "ts", "actor", "action", "target", "status", "ip", "user_agent", "request_id",
    "entity_type", "entity_id", "changes", "extra", "prev_hash", "hash",
)  # fmt: skip


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
    list_display = ("id", "ts", "actor", "action_name", "target", "status", "ip")
    list_filter = (("ts", admin.DateFieldListFilter), "action", "status")
    search_fields = ("actor", "target", "request_id", "entity_id")
    list_per_page = 100
    actions = ("export_csv",)

    @admin.display(description=_("action"), ordering="action")
    def action_name(self, row: AuditLog) -> str:
        return format_html("{} <code>{}</code>", row.action_label, row.action)

    @admin.action(description=_("Export the selected entries as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[AuditLog]) -> StreamingHttpResponse:
        services.record(actor=actor_of(request), action="audit_export", target="audit_log")
        return csv_response("audit_log.csv", EXPORT, _rows(queryset))


def _rows(queryset: QuerySet[AuditLog]) -> Iterator[list[Any]]:
    for row in queryset.order_by("id").values(*EXPORT).iterator(chunk_size=2000):
        row["ts"] = stamp(row["ts"])
        for name in ("changes", "extra"):
            row[name] = json.dumps(row[name], ensure_ascii=False, sort_keys=True)
        yield [row[name] for name in EXPORT]
