"""Refused rows for people."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from core.admin import ReadOnlyAdmin
from usage.models import QuarantinedRow


@admin.register(QuarantinedRow)
class QuarantinedRowAdmin(ReadOnlyAdmin):
    list_per_page = 100
    list_display = ("id", "created_at", "reason", "detail", "line_no", "source", "run", "beginning")
    list_filter = ("reason", "source", ("run", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("run",)
    search_fields = ("raw", "detail")

    @admin.display(description=_("text of the row"))
    def beginning(self, row: QuarantinedRow) -> str:
        return row.raw[:80]
