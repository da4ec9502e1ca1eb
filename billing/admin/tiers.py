"""Tier rules and overrides: tried before they are trusted, and saved only after seeing whose tier they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.forms.users import TierOverrideForm
from accounts.models import RuleKind, TierOverride, TierRule
from accounts.models.users import fold_username
from audit.audited import AuditedAdmin
from billing.selectors.pricing.tier_changes import TierChange, changes_of, try_rules, who_matches
from core.context import actor_of
from core.periods import today

SHOWN = 200


class TrialForm(forms.Form):
    """Who pays what (user, account), or whom a pattern matches (kind, pattern)."""

    username = forms.CharField(label=_("User"), required=False, max_length=64)
    account = forms.CharField(label=_("Slurm account"), required=False, max_length=120)
    kind = forms.ChoiceField(label=_("Looks at"), required=False, choices=RuleKind)
    pattern = forms.CharField(label=_("Pattern"), required=False, max_length=120)


class PreviewedAdmin(AuditedAdmin):
    """Saving and deleting first show whose tier would change; nobody: it is done at once."""

    def changed_days(self, obj: Any) -> list[Any]:
        """Days beside today on which the change may begin to matter."""
        return []

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method == "POST" and "_confirmed" not in request.POST:
            with transaction.atomic():
                changes = self._changes_of_form(request, object_id)
            if changes:
                return self._ask(request, changes, self._title(object_id))
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        changes: list[TierChange] = []
        if row is not None and self.has_delete_permission(request, row):
            with transaction.atomic():
                changes = changes_of(type(row).objects.filter(pk=row.pk).delete, days=self.changed_days(row))
        context = {**(extra_context or {}), "changes": changes[:SHOWN], "changes_total": len(changes)}
        return super().delete_view(request, object_id, context)

    delete_confirmation_template = "admin/billing/tier_delete.html"

    def _changes_of_form(self, request: HttpRequest, object_id: str | None) -> list[TierChange]:
        """Nothing when the form is not valid or not allowed: then Django's own page answers."""
        row = self.get_object(request, object_id) if object_id else None
        allowed = self.has_change_permission(request, row) if row else self.has_add_permission(request)
        if not allowed or (object_id and row is None):
            return []
        form_class = self.get_form(request, row, change=row is not None)
        form = form_class(request.POST, request.FILES, instance=row)
        if not form.is_valid():
            return []
        made = form.save(commit=False)
        save: Callable[[], object] = made.save
        return changes_of(save, days=self.changed_days(made))

    def _title(self, object_id: str | None) -> str:
        return gettext("Whose tier changes")

    def _ask(self, request: HttpRequest, changes: list[TierChange], title: str) -> HttpResponse:
        fields = [(name, value) for name in request.POST for value in request.POST.getlist(name)]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": title,
            "changes": changes[:SHOWN],
            "changes_total": len(changes),
            "jobs": sum(change.jobs for change in changes),
            "fields": [(name, value) for name, value in fields if name != "csrfmiddlewaretoken"],
        }
        return TemplateResponse(request, "admin/billing/tier_preview.html", context)


@admin.register(TierRule)
class TierRuleAdmin(PreviewedAdmin):
    list_display = ("position", "kind", "pattern", "tier", "is_active", "note")
    list_display_links = ("position", "pattern")
    list_filter = ("kind", "tier", "is_active")
    list_select_related = ("tier",)
    change_list_template = "admin/billing/tierrules.html"

    def get_urls(self) -> list[URLPattern]:
        return [path("try/", self.admin_site.admin_view(self.try_view), name="billing_try_rules"), *super().get_urls()]

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """The test box. A GET form: it answers while one types, and a link carries the question."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = TrialForm(request.GET or None)
        trial, matched = None, None
        if form.is_valid():
            data = form.cleaned_data
            if data["username"] or data["account"]:
                trial = try_rules(fold_username(data["username"]), data["account"].strip())
            if data["pattern"] and data["kind"]:
                matched = who_matches(data["kind"], data["pattern"])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": gettext("Try the tier rules"),
            "form": form,
            "trial": trial,
            "matched": matched[:SHOWN] if matched is not None else None,
            "matched_total": len(matched or []),
        }
        return TemplateResponse(request, "admin/billing/try_rules.html", context, status=400 if form.errors else 200)


@admin.register(TierOverride)
class TierOverrideAdmin(PreviewedAdmin):
    form = TierOverrideForm
    list_display = ("username", "tier", "valid_from", "valid_until", "reason", "set_by")
    list_filter = ("tier",)
    list_select_related = ("tier",)
    search_fields = ("username", "reason")
    readonly_fields = ("set_by", "created_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The database writes ``created_at``: before it has, there is no time to show."""
        fields = super().get_fields(request, obj)
        return fields if obj is not None else [name for name in fields if name != "created_at"]

    def changed_days(self, obj: TierOverride) -> list[Any]:
        return [obj.valid_from] if obj.valid_from and obj.valid_from > today() else []

    def save_model(self, request: HttpRequest, obj: TierOverride, form: Any, change: bool) -> None:
        obj.set_by = actor_of(request).name[:64]
        super().save_model(request, obj, form, change)
