"""Plan fees: added on the page of their plan or in their list, never changed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminDateWidget
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.console.add_only import AddOnlyAdmin, add_errors, take_over
from core.console.admin import EditInline
from core.context import actor_of
from core.errors import BadInput
from core.periods import today
from core.words.wording import money_text
from subscriptions.models import Plan, PlanPrice
from subscriptions.services.prices import PLACES, check_day, check_plan_price, set_plan_price


class PlanPriceForm(forms.ModelForm):
    amount = forms.DecimalField(label=_("fee"), max_digits=18, decimal_places=PLACES, help_text=_("0: free of charge."))
    effective_from = forms.DateField(
        label=_("from"), required=False, widget=AdminDateWidget, help_text=_("Empty: from today on.")
    )

    class Meta:
        model = PlanPrice
        fields = ("billing_cycle", "amount", "currency", "effective_from")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors or not self.has_changed():
            return data
        day = data["effective_from"] = data["effective_from"] or today()
        try:
            check_plan_price(data["billing_cycle"], data["amount"], data["currency"], day)
            plan = data["plan"].pk if data.get("plan") else self.instance.plan_id
            known = PlanPrice.objects.filter(
                plan_id=plan, billing_cycle=data["billing_cycle"], currency=data["currency"]
            )
            check_day(known.values_list("effective_from", flat=True) if plan else (), day)
        except BadInput as error:
            add_errors(self, error)
        return data


def save_price(request: HttpRequest, plan: Plan, data: dict[str, Any]) -> PlanPrice:
    return set_plan_price(
        actor=actor_of(request), plan=plan, billing_cycle=data["billing_cycle"], amount=data["amount"],
        currency=data["currency"], effective_from=data["effective_from"],
    )  # fmt: skip


class PlanPriceInline(EditInline):
    """Those that are there can be read only."""

    model = PlanPrice
    form = PlanPriceForm
    extra = 0
    fields = (*PlanPriceForm.Meta.fields, "set_by")
    readonly_fields = ("set_by",)
    ordering = ("billing_cycle", "currency", "-effective_from")
    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        return False


class NewPlanPriceForm(PlanPriceForm):
    class Meta(PlanPriceForm.Meta):
        fields = ("plan", *PlanPriceForm.Meta.fields)  # type: ignore[assignment]


@admin.register(PlanPrice)
class PlanPriceAdmin(AddOnlyAdmin):
    form = NewPlanPriceForm
    list_display = ("plan", "billing_cycle", "fee", "effective_from", "set_by")
    list_filter = ("billing_cycle", "currency")
    list_select_related = ("plan",)
    ordering = ("plan__code", "billing_cycle", "currency", "-effective_from")

    @admin.display(description=_("fee"), ordering="amount")
    def fee(self, row: PlanPrice) -> str:
        return format_html('<span class="num">{}</span>', money_text(row.amount, row.currency))

    def save_model(self, request: HttpRequest, obj: PlanPrice, form: ModelForm, change: bool) -> None:
        take_over(obj, save_price(request, obj.plan, form.cleaned_data))
