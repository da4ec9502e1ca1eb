"""Prices of usage: a list that is their history, a form that adds one with its steps, and two ways to stop one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.charging import Step
from billing.models import ChargeModel, PricingPlan, PricingStep
from billing.selectors.pricing.usage_prices import steps_of
from billing.services.pricing.price_checks import STEPPED, NewPrice, check_price
from billing.services.pricing.usage_prices import KEY, check_place, create_price, end_price, switch_off_price
from core.console.add_only import AddOnlyAdmin, add_errors, take_over
from core.console.admin import ConfirmedAction, EditInline, PageActions, console_day
from core.context import actor_of
from core.database.decimals import PLACES
from core.errors import BadInput
from core.periods import today
from core.words.wording import decimal_text, money_text, quantity_text

SAID = (
    "organisation", "metric_name", "quantity", "unit", "model_id", "charge_model", "price_per_unit", "package_size",
    "minimum_charge", "currency", "description", "description_th", "effective_from",
)  # fmt: skip
ROOM = 3  # steps that fit into a list


def price_of(row: Any, steps: tuple[Step, ...]) -> NewPrice:
    """``row`` has the fields of a price: an instance that is being added."""
    return NewPrice(steps=steps, **{name: getattr(row, name) for name in SAID})


class PriceForm(forms.ModelForm):
    class Meta:
        model = PricingPlan
        fields = SAID
        help_texts = {
            "metric_name": _("A metric of usage events, or the code of a meter."),
            "unit": _("Empty: whatever the unit."),
            "model_id": _("Empty: whatever the model."),
            "price_per_unit": _("Of one unit; of one package when it is priced by packages; empty with steps."),
            "package_size": _("Units in a package; a package that is begun is due in full."),
            "minimum_charge": _("A month with any use costs at least that."),
            "effective_from": _("A month has the prices of its first day."),
        }

    def clean(self) -> dict[str, Any]:
        """Everything but the steps, which a form of their own holds."""
        data = super().clean() or {}
        if self.errors:
            return data
        row = PricingPlan(**data)
        steps = (Step(None, Decimal(0)),) if row.charge_model in STEPPED else ()
        try:
            check_price(price_of(row, steps))
            check_place(row)
        except BadInput as error:
            add_errors(self, error)
        return data


class StepFormSet(BaseInlineFormSet):
    def clean(self) -> None:
        super().clean()
        model = self.instance.charge_model
        if self.instance.pk or any(self.errors) or model not in ChargeModel.values:
            return
        alone = NewPrice("steps", "THB", today(), charge_model=model, steps=self.steps())  # the rest, the form checks
        try:
            check_price(alone)
        except BadInput as error:
            words: Any = error.details.get("errors", {})
            if found := words.get("steps"):
                raise forms.ValidationError(found) from error

    def steps(self) -> tuple[Step, ...]:
        filled = [form.cleaned_data for form in self.extra_forms if form.has_changed()]
        return tuple(Step(row["up_to"], row["price_per_unit"], row["flat_fee"]) for row in filled)


class StepInline(EditInline):
    model = PricingStep
    formset = StepFormSet
    fields = ("up_to", "price_per_unit", "flat_fee")
    verbose_name_plural = _("Steps, from the lowest; the last one has no end")
    extra = 3
    can_delete = False

    def get_extra(self, request: HttpRequest, obj: PricingPlan | None = None, **kwargs: Any) -> int:
        return self.extra if obj is None else 0

    def has_add_permission(self, request: HttpRequest, obj: PricingPlan | None = None) -> bool:
        return obj is None and request.user.has_perm("billing.add_pricingplan")

    def has_view_permission(self, request: HttpRequest, obj: PricingPlan | None = None) -> bool:
        return request.user.has_perm("billing.view_pricingplan")

    def has_change_permission(self, request: HttpRequest, obj: PricingPlan | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: PricingPlan | None = None) -> bool:
        return False


@admin.register(PricingPlan)
class PricingPlanAdmin(PageActions, AddOnlyAdmin):
    form = PriceForm
    inlines = (StepInline,)
    list_display = ("metric_name", "owner", "quantity", "unit", "model_id", "price", "currency", "effective_from",
                    "effective_to", "is_active", "set_by")  # fmt: skip
    list_filter = ("is_active", "charge_model", "quantity")
    list_select_related = ("organisation",)
    list_per_page = 50
    search_fields = ("metric_name", "model_id", "organisation__name")
    ordering = ("metric_name", "organisation__name", "-effective_from", "-id")
    autocomplete_fields = ("organisation",)
    actions = page_actions = ("end_action", "off_action")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PricingPlan]:
        rows: QuerySet[PricingPlan] = super().get_queryset(request).prefetch_related("steps")
        return rows

    def get_fieldsets(self, request: HttpRequest, obj: PricingPlan | None = None) -> Any:
        if obj is None:
            return ((None, {"fields": SAID}),)
        more = ("effective_to", "is_active", "set_by", "created_at", "history")
        return ((None, {"fields": (*SAID, *more)}),)

    def get_readonly_fields(self, request: HttpRequest, obj: PricingPlan | None = None) -> Any:
        return () if obj is None else ("set_by", "created_at", "history")

    @admin.display(description=_("for"), ordering="organisation__name")
    def owner(self, plan: PricingPlan) -> str:
        return str(plan.organisation or gettext("all"))

    @admin.display(description=_("price"))
    def price(self, plan: PricingPlan) -> str:
        return format_html('<span class="num">{}</span>', price_in_words(plan))

    @admin.display(description=_("prices of the same before and after"))
    def history(self, plan: PricingPlan) -> str:
        rows = PricingPlan.objects.filter(**{name: getattr(plan, name) for name in KEY}).prefetch_related("steps")
        heads = format_html_join("", '<th scope="col">{}</th>', ((each,) for each in _heads()))
        body = format_html_join(
            "", '<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>',
            ((console_day(row.effective_from), console_day(row.effective_to) or "–", _state(row),
              f"{price_in_words(row)} {row.currency}") for row in rows.order_by("-effective_from", "-pk")),
        )  # fmt: skip
        return format_html('<table class="cells"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>', heads, body)

    def save_model(self, request: HttpRequest, obj: PricingPlan, form: ModelForm, change: bool) -> None:
        """Written with its steps, in ``save_related``."""

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        (steps,) = formsets
        take_over(form.instance, create_price(actor=actor_of(request), price=price_of(form.instance, steps.steps())))
        steps.new_objects, steps.changed_objects, steps.deleted_objects = [], [], []

    def has_page_action(self, obj: PricingPlan, name: str) -> bool:
        return obj.is_active

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_pricingplan")

    @admin.action(description=_("End …"), permissions=["stop"])
    def end_action(self, request: HttpRequest, queryset: QuerySet[PricingPlan]) -> HttpResponse | None:
        return END.answer(self, request, queryset)

    @admin.action(description=_("Switch off a mistake …"), permissions=["stop"])
    def off_action(self, request: HttpRequest, queryset: QuerySet[PricingPlan]) -> HttpResponse | None:
        return OFF.answer(self, request, queryset)


def price_in_words(plan: PricingPlan) -> str:
    """``1.50``, ``9.00 / 1,000``, or the prices of the steps."""
    if plan.charge_model in STEPPED:
        steps = [_step(step) for step in steps_of(plan)]
        return "; ".join(steps[:ROOM]) + (" …" if len(steps) > ROOM else "")
    price = decimal_text(plan.price_per_unit or Decimal(0), 2, PLACES)
    return f"{price} / {quantity_text(plan.package_size)}" if plan.package_size is not None else price


def _step(step: Step) -> str:
    end = "∞" if step.up_to is None else quantity_text(step.up_to)
    fee = f" + {money_text(step.flat_fee)}" if step.flat_fee else ""
    return f"≤ {end}: {decimal_text(step.price_per_unit, 2, PLACES)}{fee}"


def _heads() -> tuple[str, ...]:
    return gettext("from"), gettext("until"), gettext("state"), gettext("price")


def _state(plan: PricingPlan) -> str:
    return gettext("active") if plan.is_active else gettext("switched off")


def last_day(text: str) -> date:
    """What is asked for before something ends. Raises ``BadInput``."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadInput(gettext("%(text)s is no day; write it as 2026-10-31.") % {"text": text[:20]}) from error


END = ConfirmedAction(
    name="end_action",
    title=_("End prices"),
    field_label=_("Last day on which they count (as 2026-10-31)"),
    status=(),
    headers=(_("metric"), _("for"), _("price"), _("from"), _("until")),
    row=lambda plan: (
        plan.metric_name, str(plan.organisation or gettext("all")), f"{price_in_words(plan)} {plan.currency}",
        console_day(plan.effective_from), console_day(plan.effective_to),
    ),
    button=lambda n: ngettext("End %(n)d price", "End %(n)d prices", n) % {"n": n},
    done=lambda n: ngettext("%(n)d price ended.", "%(n)d prices ended.", n) % {"n": n},
    run=lambda actor, plan, text: end_price(actor=actor, plan=plan, last_day=last_day(text)),
    advice=_("From the day after, a wider price counts; where there is none, its usage stops the invoice."),
)  # fmt: skip
OFF = replace(
    END,
    name="off_action",
    title=_("Switch prices off"),
    field_label=_("Reason"),
    button=lambda n: ngettext("Switch %(n)d price off", "Switch %(n)d prices off", n) % {"n": n},
    done=lambda n: ngettext("%(n)d price switched off.", "%(n)d prices switched off.", n) % {"n": n},
    run=lambda actor, plan, text: switch_off_price(actor=actor, plan=plan, reason=text),
    advice=_("As if they had never been. The price before stays ended; set another from the same day."),
)
