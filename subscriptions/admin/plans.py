"""Plans and the limits that come with them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from audit.audited import AuditedAdmin
from core.console.admin import EditInline
from core.database.decimals import plain
from core.errors import AppError
from subscriptions.admin.prices import PlanPriceInline, save_price
from subscriptions.models import Plan, PlanLimit, PlanPrice


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


class PlanLimitInline(EditInline):
    model = PlanLimit
    form = PlanLimitForm


@admin.register(Plan)
class PlanAdmin(AuditedAdmin):
    """A plan is closed, never deleted: subscriptions name it."""

    audit_related = ("limits",)
    inlines = (PlanLimitInline, PlanPriceInline)
    list_display = ("code", "name", "ai_model", "requires_approval", "trial_days", "is_active")
    list_filter = ("is_active", "requires_approval")
    list_select_related = ("ai_model",)
    search_fields = ("code", "name", "name_th")
    autocomplete_fields = ("ai_model",)
    readonly_fields = ("created_at",)

    def save_formset(self, request: HttpRequest, form: forms.ModelForm, formset: Any, change: bool) -> None:
        if formset.model is not PlanPrice:
            super().save_formset(request, form, formset, change)
            return
        formset.save(commit=False)  # tells the page what was added; the service writes it
        for each in formset.extra_forms:
            if each.has_changed():
                try:
                    save_price(request, form.instance, each.cleaned_data)
                except AppError as error:  # somebody else was quicker
                    self.message_user(request, error.message, messages.ERROR)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)
        return fields if obj is not None else [name for name in fields if name != "created_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        return ("code", *self.readonly_fields) if obj is not None else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        return False
