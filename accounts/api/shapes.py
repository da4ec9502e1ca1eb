"""How organisations, their members and projects are described, and what may be sent about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from accounts.membership import ALL, BILLING, SETTINGS
from accounts.models import BillingMode, Member, MemberRole, Organisation, Project
from accounts.models.organisations import CURRENCY_PATTERN, LANGUAGE_CODES
from core.api.serializers import StrictSerializer, TextField


class OrganisationSerializer(serializers.Serializer):
    """`rights` are yours, `role` is your own as a member (staff may have rights without one)."""

    uuid = serializers.UUIDField()
    name = serializers.CharField()
    tier = serializers.CharField(source="tier_id", allow_null=True)
    billing_mode = serializers.ChoiceField(BillingMode.values)
    billing_email = serializers.SerializerMethodField(help_text="Null for those who have no business with bills.")
    bill_reminders = serializers.BooleanField(help_text="Whether it gets reminders of unpaid invoices.")
    currency = serializers.CharField()
    time_zone = serializers.CharField()
    language = serializers.ChoiceField(LANGUAGE_CODES)
    email_invoices = serializers.BooleanField(help_text="Invoices go to `billing_email`, with their PDF.")
    is_active = serializers.BooleanField()
    is_test = serializers.BooleanField(help_text="It lives by a test clock; its documents are no real ones.")
    created_at = serializers.DateTimeField()
    role = serializers.SerializerMethodField()
    rights = serializers.SerializerMethodField()

    def get_billing_email(self, row: Organisation) -> str | None:
        return row.billing_email if self._rights(row) & {BILLING, SETTINGS} else None

    def get_role(self, row: Organisation) -> str | None:
        roles: Mapping[int, str] = self.context["roles"]
        return roles.get(row.pk)

    def get_rights(self, row: Organisation) -> list[str]:
        return sorted(self._rights(row))

    def _rights(self, row: Organisation) -> frozenset[str]:
        rights: Mapping[int, frozenset[str]] = self.context["rights"]
        return rights.get(row.pk, frozenset()) & ALL


class MemberSerializer(serializers.Serializer):
    user = serializers.CharField(source="user_id")
    role = serializers.ChoiceField(MemberRole.values)
    since = serializers.DateTimeField(source="created_at")


class ProjectSerializer(serializers.Serializer):
    uuid = serializers.UUIDField()
    organisation = serializers.UUIDField(source="organisation.uuid")
    name = serializers.CharField()
    description = serializers.CharField()
    slurm_accounts = serializers.SerializerMethodField()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()

    def get_slurm_accounts(self, row: Project) -> list[str]:
        return [each.account for each in row.accounts.all()]


class OrganisationChangeSerializer(StrictSerializer):
    """Owners change `billing_email`, `bill_reminders`, `time_zone`, `currency`, `language` and `email_invoices`.

    The rest needs `accounts.change_organisation`."""

    name = TextField(required=False, max_length=160)
    tier = TextField(required=False, max_length=40, allow_null=True)
    billing_mode = serializers.ChoiceField(BillingMode.values, required=False)
    billing_email = serializers.EmailField(required=False, max_length=254, allow_blank=True)
    bill_reminders = serializers.BooleanField(required=False)
    currency = serializers.RegexField(CURRENCY_PATTERN, required=False, help_text="Stands once something was billed.")
    time_zone = TextField(required=False, max_length=60, help_text="Stands once usage was counted.")
    language = serializers.ChoiceField(LANGUAGE_CODES, required=False)
    email_invoices = serializers.BooleanField(required=False)
    is_active = serializers.BooleanField(required=False)


class ProjectChangeSerializer(StrictSerializer):
    name = TextField(required=False, max_length=160)
    description = TextField(required=False, max_length=2000, allow_blank=True)
    is_active = serializers.BooleanField(
        required=False, help_text="With Slurm accounts mapped: staff with accounts.change_project only."
    )


class NewProjectSerializer(StrictSerializer):
    name = TextField(max_length=160)
    description = TextField(required=False, max_length=2000, allow_blank=True, default="")


class NewMemberSerializer(StrictSerializer):
    user = TextField(max_length=64)
    role = serializers.ChoiceField(MemberRole.values)


class RoleSerializer(StrictSerializer):
    role = serializers.ChoiceField(MemberRole.values)


def described(rows: list[Organisation], user: Any, rights: Mapping[int, frozenset[str]]) -> list[dict[str, Any]]:
    """The organisations as this reader sees them: one query for the roles of all."""
    mine = Member.objects.filter(user=user, organisation__in=[row.pk for row in rows])
    context = {"rights": rights, "roles": dict(mine.values_list("organisation_id", "role"))}
    return list(OrganisationSerializer(rows, many=True, context=context).data)
