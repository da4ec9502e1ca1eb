"""Organisations, their members, projects and invitations in the console, and what users told about themselves."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.forms import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.models import (
    Identity,
    Invitation,
    Member,
    MemberRole,
    Organisation,
    Project,
    ProjectAccount,
    ProjectLead,
)
from accounts.services.organisations import fixed_fields, lock_organisation
from audit.audited import AuditedAdmin, Snapshot
from core.console.admin import EditInline, ReadOnlyAdmin


class _StampedAdmin(AuditedAdmin):
    """The database writes ``created_at``, and a row has no id before it is one: there is nothing to show yet."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)
        return fields if obj is not None else [name for name in fields if name not in ("created_at", "uuid")]


class MemberFormSet(BaseInlineFormSet):
    """The rule of ``services.members``: an organisation that has an owner keeps one."""

    def clean(self) -> None:
        super().clean()
        if self.instance.pk is None or any(self.errors):
            return
        lock_organisation(self.instance)
        owners = Member.objects.filter(organisation=self.instance, role=MemberRole.OWNER)
        kept = [form.cleaned_data for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        remain = any(each["role"] == MemberRole.OWNER and each["user"].is_active for each in kept)
        if owners.exists() and not remain:
            raise ValidationError(_("Somebody must own the organisation. Make another member owner first."))


class MemberInline(EditInline):
    model = Member
    formset = MemberFormSet
    raw_id_fields = ("user",)


@admin.register(Organisation)
class OrganisationAdmin(_StampedAdmin):
    inlines = (MemberInline,)
    list_display = ("name", "tier", "billing_mode", "currency", "is_active")
    list_filter = ("tier", "billing_mode", "is_active")
    list_select_related = ("tier",)
    search_fields = ("name", "billing_email", "members__user__username")

    def get_readonly_fields(self, request: HttpRequest, obj: Organisation | None = None) -> tuple[str, ...]:
        stands = sorted(fixed_fields(obj)) if obj is not None else ()
        return ("uuid", "created_at", *stands)

    def has_delete_permission(self, request: HttpRequest, obj: Organisation | None = None) -> bool:
        return False

    def _snapshot(self, obj: Model) -> Snapshot:
        """With its members, whatever the language of the page."""
        rows = Member.objects.filter(organisation=obj.pk).order_by("user_id")
        return {**super()._snapshot(obj), "members": [f"{row.user_id}: {row.role}" for row in rows]}


class ProjectAccountInline(EditInline):
    model = ProjectAccount


class ProjectLeadInline(EditInline):
    model = ProjectLead
    raw_id_fields = ("user",)


@admin.register(Project)
class ProjectAdmin(_StampedAdmin):
    audit_related = ("accounts", "leads")
    inlines = (ProjectAccountInline, ProjectLeadInline)
    list_display = ("name", "organisation", "is_active")
    list_filter = ("is_active", "organisation")
    list_select_related = ("organisation",)
    search_fields = ("name", "accounts__account", "leads__user__username")
    readonly_fields = ("uuid", "created_at")

    def has_delete_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        return False


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    """The link itself is known to nobody: only its hash is kept."""

    list_display = ("email", "organisation", "role", "invited_by", "created_at", "expires_at", "accepted_by")
    list_filter = ("role", ("accepted_at", admin.EmptyFieldListFilter), ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("organisation",)
    search_fields = ("email", "organisation__name", "invited_by", "accepted_by")
    fields = (
        "email", "organisation", "role", "invited_by", "created_at", "expires_at", "accepted_at", "accepted_by",
        "revoked_at",
    )  # fmt: skip


@admin.register(Identity)
class IdentityAdmin(ReadOnlyAdmin):
    """Users give and remove their address themselves, under My account."""

    list_display = ("user", "email", "full_name", "oauth_provider", "updated_at")
    search_fields = ("user__username", "email", "full_name")
    fields = ("user", "email", "full_name", "oauth_provider", "oauth_id", "updated_at")
