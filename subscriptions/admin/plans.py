"""Plans and the limits that come with them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from audit.audited import AuditedAdmin
from core.decimals import plain
from subscriptions.models import Plan, PlanLimit


class PlanLimitForm(forms.ModelForm):
    limit = forms.DecimalField(
        label=_("limit"), required=False, min_value=0, max_digits=31, decimal_places=9,
        help_text=_("Empty: no limit. 0: not allowed at all."),
    )  # fmt: skip

    class Meta:
        model = PlanLimit
        fields = ("metric", "limit", "window", "is_hard")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.instance.limit, Decimal):
            self.initial["limit"] = plain(self.instance.limit)


class PlanLimitInline(admin.TabularInline):
    model = PlanLimit
    form = PlanLimitForm
    extra = 1


@admin.register(Plan)
class PlanAdmin(AuditedAdmin):
    """A plan is closed, never deleted: subscriptions name it."""

    audit_related = ("limits",)
    inlines = (PlanLimitInline,)
    list_display = ("code", "name", "ai_model", "requires_approval", "trial_days", "is_active")
    list_filter = ("is_active", "requires_approval")
    list_select_related = ("ai_model",)
    search_fields = ("code", "name", "name_th")
    autocomplete_fields = ("ai_model",)
    readonly_fields = ("created_at",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)
        return fields if obj is not None else [name for name in fields if name != "created_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        return ("code", *self.readonly_fields) if obj is not None else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        return False
