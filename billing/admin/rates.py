"""Rates and their history for finance; adding appends a version, nothing is edited."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from billing.admin import whatif
from billing.models import Rate, RateVersion
from billing.services.pricing.rates import NewRates, set_rates
from core.console.admin import ReadOnlyAdmin, name_parts
from core.context import actor_of
from core.money import RATE_PLACES
from core.words.wording import decimal_text


@admin.register(Rate)
class RateAdmin(ReadOnlyAdmin):
    list_display = ("tier", "cpu", "gpu", "mem", "updated_at")


class RateVersionForm(forms.ModelForm):
    effective_at = forms.SplitDateTimeField(
        label=capfirst(_("effective from")), required=False, widget=AdminSplitDateTime,
        help_text=_("Empty: from now on. Past moments are refused; documents may rest on the old rates."),
    )  # fmt: skip

    note = forms.CharField(
        label=capfirst(_("reason")), max_length=200, help_text=_("Why the price changes; it stands in the history.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "effective_at" in self.fields:
            name_parts(self.fields["effective_at"])

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
    list_display = ("tier", "effective_at", "state", *(f"{name}_change" for name in ("cpu", "gpu", "mem")), "cpu_basis",
                    "set_by", "note")  # fmt: skip
    list_filter = ("tier",)
    list_select_related = ("tier",)
    change_list_template = "admin/billing/rateversions.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[RateVersion]:
        """Each with the rates of the version before it, and whether a later one is in force already."""
        mine = RateVersion.objects.filter(tier=OuterRef("tier"))
        before = mine.filter(effective_at__lt=OuterRef("effective_at")).order_by("-effective_at")
        after = mine.filter(effective_at__gt=OuterRef("effective_at"), effective_at__lte=timezone.now())
        previous = {f"{name}_before": Subquery(before.values(name)[:1]) for name in ("cpu", "gpu", "mem")}
        found: QuerySet[RateVersion] = super().get_queryset(request).annotate(**previous, is_over=Exists(after))
        return found

    @admin.display(description=pgettext_lazy("standing", "State"))
    def state(self, version: RateVersion) -> str:
        if version.effective_at > timezone.now():
            return gettext("to come")
        return gettext("past") if getattr(version, "is_over", False) else gettext("in force")

    @admin.display(description=_("per core-hour"), ordering="cpu")
    def cpu_change(self, version: RateVersion) -> str:
        return _changed(version, "cpu")

    @admin.display(description=_("per GPU-hour"), ordering="gpu")
    def gpu_change(self, version: RateVersion) -> str:
        return _changed(version, "gpu")

    @admin.display(description=_("per GB-hour"), ordering="mem")
    def mem_change(self, version: RateVersion) -> str:
        return _changed(version, "mem")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.whatif_view)
        return [path("what-if/", view, name="billing_whatif"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "may_whatif": whatif.may(request)})

    def whatif_view(self, request: HttpRequest) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.model._meta}
        return whatif.view(request, context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_rateversion")

    def save_model(self, request: HttpRequest, obj: RateVersion, form: ModelForm, change: bool) -> None:
        saved = set_rates(
            actor=actor_of(request), tier=obj.tier, effective_at=form.cleaned_data["effective_at"], note=obj.note,
            rates=NewRates(obj.cpu, obj.gpu, obj.mem, obj.cpu_basis),
        )  # fmt: skip
        obj.pk, obj.effective_at, obj.set_by = saved.pk, saved.effective_at, saved.set_by


def _changed(version: RateVersion, name: str) -> str:
    """``1.25`` and, where it differs from the version before, by how much."""
    now, before = getattr(version, name), getattr(version, f"{name}_before", None)
    text = decimal_text(now, 0, RATE_PLACES)
    if before is None or before == now:
        return format_html('<span class="num">{}</span>', text)
    sign = "+" if now > before else ""
    difference = f"{sign}{decimal_text(now - before, 0, RATE_PLACES)}"
    return format_html('<span class="num">{} <span class="delta">{}</span></span>', text, difference)
