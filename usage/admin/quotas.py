"""Windows of quotas: what is allowed, used, set aside and left."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from core.console.admin import ReadOnlyAdmin
from core.console.list_filters import KnownFilter
from core.database.decimals import plain
from subscriptions.models import LimitWindow
from usage.models import QuotaWindow
from usage.quotas import used_in


class WindowFilter(KnownFilter):
    title, parameter_name = _("within"), "window"
    known = staticmethod(lambda: LimitWindow.choices)  # type: ignore[assignment]


@admin.register(QuotaWindow)
class QuotaWindowAdmin(ReadOnlyAdmin):
    list_display = (
        "subscription",
        "metric",
        "window",
        "starts_at",
        "limit_of",
        "used",
        "held_of",
        "warned_percent",
        "exhausted_at",
    )
    list_filter = (WindowFilter, "is_hard")
    list_select_related = ("subscription__organisation", "subscription__plan")
    ordering = ("-starts_at", "-id")
    search_fields = ("metric", "subscription__user__username", "subscription__organisation__name")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """What was used of all that one page shows: one statement."""
        changes = super().get_changelist_instance(request)
        used = used_in([row.pk for row in changes.result_list])
        for row in changes.result_list:
            row.used = used.get(row.pk)
        return changes

    @admin.display(description=_("limit"))
    def limit_of(self, row: QuotaWindow) -> str:
        return "∞" if row.limit is None else plain(row.limit)

    @admin.display(description=_("used"))
    def used(self, row: Any) -> str:
        found = row.used if "used" in row.__dict__ else used_in([row.pk]).get(row.pk)
        return plain(row.carried + (found or 0))

    @admin.display(description=_("set aside"))
    def held_of(self, row: QuotaWindow) -> str:
        return plain(row.held + row.carried_held)
