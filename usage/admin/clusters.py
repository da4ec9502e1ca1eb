"""Clusters: added by name before their first job, or by the import with it; then only zone and source change."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.audited import AuditedAdmin
from core.errors import UsageError
from usage.clusters import NAME
from usage.models import Cluster
from usage.services.opening import check_zone


class ClusterForm(forms.ModelForm):
    source = forms.ChoiceField(label=_("source"), required=False, help_text=_("Where its usage comes from."))

    class Meta:
        model = Cluster
        fields = ("name", "timezone", "source")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        keys = [*settings.USAGE_SOURCES]
        if self.instance.source and self.instance.source not in keys:
            keys.append(self.instance.source)  # a source of before; saving the zone must not change it
        if "source" in self.fields:
            choices = [("", gettext("The first source that answers")), *((key, key) for key in keys)]
            self.fields["source"] = forms.ChoiceField(
                label=self.fields["source"].label,
                required=False,
                choices=choices,
                help_text=self.fields["source"].help_text,
            )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].lower()  # as Slurm keeps it
        if not NAME.fullmatch(name):
            words = gettext(
                "Write the name as in slurm.conf (ClusterName): letters, digits, _ . - and at most 40 of them."
            )
            raise forms.ValidationError(words)
        return name

    def clean_timezone(self) -> str:
        zone: str = self.cleaned_data["timezone"]
        if zone:
            try:
                check_zone(zone)
            except UsageError as error:
                raise forms.ValidationError(error.message) from error
        return zone


@admin.register(Cluster)
class ClusterAdmin(AuditedAdmin):
    """The name is part of every job key, so it does not change once it is there."""

    form = ClusterForm
    list_display = ("name", "source", "timezone", "read_until", "created_at")

    def get_fields(self, request: HttpRequest, obj: Cluster | None = None) -> tuple[str, ...]:
        return ("name", "timezone", "source", "read_until") if obj else ("name", "timezone", "source")

    def get_readonly_fields(self, request: HttpRequest, obj: Cluster | None = None) -> tuple[str, ...]:
        return ("name", "read_until") if obj else ("read_until",)

    def has_delete_permission(self, request: HttpRequest, obj: Cluster | None = None) -> bool:
        return False
