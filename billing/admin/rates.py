"""Rates and their history for finance; adding appends a version, nothing is edited."""

from __future__ import annotations

from datetime import datetime

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.models import Rate, RateVersion
from billing.services.rates import NewRates, set_rates
from core.admin import ReadOnlyAdmin
from core.context import actor_of


@admin.register(Rate)
class RateAdmin(ReadOnlyAdmin):
    list_display = ("tier", "cpu", "gpu", "mem", "updated_at")


class RateVersionForm(forms.ModelForm):
    effective_at = forms.SplitDateTimeField(
        label=_("effective from"), required=False, widget=AdminSplitDateTime,
        help_text=_("Empty: from now on. Past moments are refused; documents may rest on the old rates."),
    )  # fmt: skip

    class Meta:
        model = RateVersion
        fields = ("tier", "cpu", "gpu", "mem", "cpu_basis", "effective_at", "note")

    def clean_effective_at(self) -> datetime | None:
        moment: datetime | None = self.cleaned_data["effective_at"]
        if moment and moment < timezone.now():
            raise forms.ValidationError(_("Rates cannot begin in the past: documents may rest on the old ones."))
        return moment


@admin.register(RateVersion)
class RateVersionAdmin(ReadOnlyAdmin):
    """History of rates; adding appends a version, nothing is changed or removed."""

    form = RateVersionForm
    list_display = ("tier", "effective_at", "cpu", "gpu", "mem", "cpu_basis", "set_by", "note")
    list_filter = ("tier",)
    list_select_related = ("tier",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_rateversion")

    def save_model(self, request: HttpRequest, obj: RateVersion, form: ModelForm, change: bool) -> None:
        saved = set_rates(
            actor=actor_of(request), tier=obj.tier, effective_at=form.cleaned_data["effective_at"], note=obj.note,
            rates=NewRates(obj.cpu, obj.gpu, obj.mem, obj.cpu_basis),
        )  # fmt: skip
        obj.pk, obj.effective_at, obj.set_by = saved.pk, saved.effective_at, saved.set_by
