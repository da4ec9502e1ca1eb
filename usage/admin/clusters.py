"""Clusters: their zones and sources."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from core.errors import UsageError
from usage.models import Cluster
from usage.services.opening import check_zone


class ClusterForm(forms.ModelForm):
    class Meta:
        model = Cluster
        fields = ("timezone",)

    def clean_timezone(self) -> str:
        zone: str = self.cleaned_data["timezone"]
        if zone:
            try:
                check_zone(zone)
            except UsageError as error:
                raise forms.ValidationError(error.message) from error
        return zone


@admin.register(Cluster)
class ClusterAdmin(admin.ModelAdmin):
    """A cluster appears with its first job; its name is part of every job key and does not change."""

    form = ClusterForm
    list_display = ("name", "timezone", "created_at")
    fields = ("name", "timezone")
    readonly_fields = ("name",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Cluster | None = None) -> bool:
        return False
