"""Taxes and where each belongs: added, ended, never changed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.usage_prices import last_day
from billing.models import TaxRate, TaxRule
from billing.services.pricing.taxes import check_tax_rate, check_tax_rule, create_tax_rule, end_tax_rule, set_tax_rate
from core.console.add_only import AddOnlyAdmin, add_errors, take_over
from core.console.admin import ConfirmedAction, PageActions, console_day
from core.context import actor_of
from core.errors import BadInput
from core.words.wording import decimal_text

RATE = ("code", "category", "label", "rate", "reason", "reason_th", "effective_from")
RULE = ("tax", "organisation", "kind", "metric_name", "plan", "reason", "reason_th", "effective_from", "effective_to")
WHO = ("set_by", "created_at")


class TaxRateForm(forms.ModelForm):
    class Meta:
        model = TaxRate
        fields = RATE
        help_texts = {
            "code": _("Small letters, digits and hyphens, such as vat; with a code that is there, its next rate."),
            "rate": _("0 unless it is taxed."),
            "reason": _("Why it is so, as a law says; wanted for an exemption."),
            "effective_from": _("A month has the taxes of its first day."),
        }  # fmt: skip

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        try:
            check_tax_rate(**data)
        except BadInput as error:
            add_errors(self, error)
        return data


class _SetByHand(AddOnlyAdmin):
    given: tuple[str, ...]

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return ((None, {"fields": self.given if obj is None else (*self.given, *WHO)}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return () if obj is None else WHO


@admin.register(TaxRate)
class TaxRateAdmin(_SetByHand):
    form = TaxRateForm
    given = RATE
    list_display = ("code", "label", "category", "percent", "effective_from", "reason", "set_by")
    list_filter = ("category",)
    search_fields = ("code", "label")

    @admin.display(description=_("rate (%)"), ordering="rate")
    def percent(self, row: TaxRate) -> str:
        return format_html('<span class="num">{}</span>', decimal_text(row.rate, 0, 2))

    def save_model(self, request: HttpRequest, obj: TaxRate, form: ModelForm, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in RATE}
        take_over(obj, set_tax_rate(actor=actor_of(request), **values))


class TaxRuleForm(forms.ModelForm):
    tax = forms.ChoiceField(label=_("Tax"))

    class Meta:
        model = TaxRule
        fields = RULE
        help_texts = {
            "organisation": _("Empty: for all. An organisation's own counts before one for all."),
            "kind": _("A kind of line, a metric or a plan; none of them: everything."),
            "metric_name": _("The metric, or the code of a meter, that a price of usage names."),
            "reason": _("In place of the tax's own, such as the number of a certificate."),
            "effective_from": _("A month has the taxes of its first day."),
            "effective_to": _("The last day; empty: open."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "tax" in self.fields:
            known = {row.code: row.label for row in TaxRate.objects.order_by("effective_from", "pk")}
            self.fields["tax"].choices = [("", "---------")] + [  # type: ignore[attr-defined]
                (code, f"{label} ({code})") for code, label in sorted(known.items())
            ]
            if not known:
                self.fields["tax"].help_text = _none_yet()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        try:
            check_tax_rule(**data)
        except BadInput as error:
            add_errors(self, error)
        return data


def _none_yet() -> SafeString:
    return format_html(
        '<a class="button" href="{}">{}</a>', reverse("admin:billing_taxrate_add"), gettext("Add a tax rate first.")
    )


@admin.register(TaxRule)
class TaxRuleAdmin(PageActions, _SetByHand):
    form = TaxRuleForm
    given = RULE
    list_display = ("tax", "of_whom", "on_what", "effective_from", "effective_to", "set_by")
    list_filter = ("kind", ("effective_from", admin.DateFieldListFilter))
    list_select_related = ("organisation", "plan")
    search_fields = ("tax", "organisation__name", "metric_name", "plan__code")
    autocomplete_fields = ("organisation", "plan")
    actions = page_actions = ("end_action",)

    @admin.display(description=_("organisation"), ordering="organisation__name")
    def of_whom(self, row: TaxRule) -> str:
        return row.organisation.name if row.organisation else gettext("all")

    @admin.display(description=_("on"))
    def on_what(self, row: TaxRule) -> str:
        return on_what(row)

    def save_model(self, request: HttpRequest, obj: TaxRule, form: ModelForm, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in RULE}
        take_over(obj, create_tax_rule(actor=actor_of(request), **values))

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_taxrule")

    @admin.action(description=_("End …"), permissions=["stop"])
    def end_action(self, request: HttpRequest, queryset: QuerySet[TaxRule]) -> HttpResponse | None:
        return END.answer(self, request, queryset)


def on_what(row: TaxRule) -> str:
    if row.plan is not None:
        return f"{gettext('plan')} {row.plan.code}"
    if row.metric_name:
        return row.metric_name
    return str(row.get_kind_display()) if row.kind else gettext("everything")


END = ConfirmedAction(
    name="end_action",
    title=_("End tax rules"),
    field_label=_("Last day on which they count (as 2026-10-31)"),
    status=(),
    headers=(_("tax"), _("organisation"), _("on"), _("from"), _("until")),
    row=lambda row: (
        row.tax, str(row.organisation or gettext("all")), on_what(row), console_day(row.effective_from),
        console_day(row.effective_to),
    ),
    button=lambda n: ngettext("End %(n)d tax rule", "End %(n)d tax rules", n) % {"n": n},
    done=lambda n: ngettext("%(n)d tax rule ended.", "%(n)d tax rules ended.", n) % {"n": n},
    run=lambda actor, row, text: end_tax_rule(actor=actor, rule=row, last_day=last_day(text)),
)  # fmt: skip
