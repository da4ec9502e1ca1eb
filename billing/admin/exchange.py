"""Exchange rates and discounts: added, ended, never changed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from billing.admin.usage_prices import last_day
from billing.models import Discount, ExchangeRate
from billing.services.pricing.discounts import check_discount, create_discount, end_discount
from billing.services.pricing.exchange import check_rate, set_rate
from core.console.add_only import AddOnlyAdmin, add_errors, take_over
from core.console.admin import ConfirmedAction, PageActions, console_day, name_parts
from core.context import actor_of
from core.errors import BadInput
from core.words.wording import decimal_text, money_text

RATE_PLACES = 12
GIVEN = ("organisation", "name", "percent", "amount", "effective_from", "effective_to")


class RateForm(forms.ModelForm):
    effective_from = forms.SplitDateTimeField(
        label=_("valid from"), required=False, widget=AdminSplitDateTime, help_text=_("Empty: from now on.")
    )

    class Meta:
        model = ExchangeRate
        fields = ("base_currency", "target_currency", "rate", "effective_from")
        help_texts = {"rate": _("So much of the second currency is one of the first.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "effective_from" in self.fields:
            name_parts(self.fields["effective_from"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        moment = data["effective_from"] = data["effective_from"] or timezone.now()
        pair = {"base_currency": data["base_currency"], "target_currency": data["target_currency"]}
        try:
            check_rate(pair["base_currency"], pair["target_currency"], data["rate"], moment)
        except BadInput as error:
            add_errors(self, error)
        return data


@admin.register(ExchangeRate)
class ExchangeRateAdmin(AddOnlyAdmin):
    form = RateForm
    list_display = ("pair", "value", "effective_from", "effective_to", "source", "set_by")
    list_filter = ("source", ("effective_from", admin.DateFieldListFilter))
    list_per_page = 50
    search_fields = ("=base_currency", "=target_currency")
    search_help_text = _("A currency, such as USD")
    ordering = ("-effective_from", "base_currency", "target_currency")

    @admin.display(description=_("currencies"), ordering="base_currency")
    def pair(self, row: ExchangeRate) -> str:
        return f"{row.base_currency} → {row.target_currency}"

    @admin.display(description=_("exchange rate"), ordering="rate")
    def value(self, row: ExchangeRate) -> str:
        return format_html('<span class="num">{}</span>', decimal_text(row.rate, 2, RATE_PLACES))

    def save_model(self, request: HttpRequest, obj: ExchangeRate, form: ModelForm, change: bool) -> None:
        saved = set_rate(
            actor=actor_of(request), base=obj.base_currency, target=obj.target_currency, rate=obj.rate,
            effective_from=form.cleaned_data["effective_from"],
        )  # fmt: skip
        take_over(obj, saved)


class DiscountForm(forms.ModelForm):
    class Meta:
        model = Discount
        fields = GIVEN
        help_texts = {
            "percent": _("Either this or an amount. Percentages do not compound."),
            "amount": _("In the organisation's currency, off each invoice, before tax."),
            "effective_from": _("A month has the discounts of its first day."),
            "effective_to": _("The last day; empty: open."),
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        try:
            check_discount(**data)
        except BadInput as error:
            add_errors(self, error)
        return data


@admin.register(Discount)
class DiscountAdmin(PageActions, AddOnlyAdmin):
    form = DiscountForm
    list_display = ("name", "organisation", "off", "effective_from", "effective_to", "set_by")
    list_filter = (("effective_from", admin.DateFieldListFilter),)
    list_select_related = ("organisation",)
    search_fields = ("name", "organisation__name")
    autocomplete_fields = ("organisation",)
    actions = page_actions = ("end_action",)

    def get_fieldsets(self, request: HttpRequest, obj: Discount | None = None) -> Any:
        return ((None, {"fields": GIVEN if obj is None else (*GIVEN, "set_by", "created_at")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Discount | None = None) -> Any:
        return () if obj is None else ("set_by", "created_at")

    @admin.display(description=_("discount"))
    def off(self, row: Discount) -> str:
        return format_html('<span class="num">{}</span>', off_in_words(row))

    def save_model(self, request: HttpRequest, obj: Discount, form: ModelForm, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in GIVEN}
        take_over(obj, create_discount(actor=actor_of(request), **values))

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_discount")

    @admin.action(description=_("End …"), permissions=["stop"])
    def end_action(self, request: HttpRequest, queryset: QuerySet[Discount]) -> HttpResponse | None:
        return END.answer(self, request, queryset)


def off_in_words(row: Discount) -> str:
    if row.percent is not None:
        return f"{decimal_text(row.percent, 0, 2)} %"
    return money_text(row.amount or 0, row.organisation.currency)


END = ConfirmedAction(
    name="end_action",
    title=_("End discounts"),
    field_label=_("Last day on which they count (as 2026-10-31)"),
    status=(),
    headers=(_("organisation"), _("name"), _("discount"), _("from"), _("until")),
    row=lambda row: (
        str(row.organisation), row.name, off_in_words(row), console_day(row.effective_from),
        console_day(row.effective_to),
    ),
    button=lambda n: ngettext("End %(n)d discount", "End %(n)d discounts", n) % {"n": n},
    done=lambda n: ngettext("%(n)d discount ended.", "%(n)d discounts ended.", n) % {"n": n},
    run=lambda actor, row, text: end_discount(actor=actor, discount=row, last_day=last_day(text)),
)  # fmt: skip
