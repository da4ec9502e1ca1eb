"""AI models and their dated prices: a price is added, never changed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.console.admin import ConsoleAdmin, EditInline
from core.context import actor_of
from core.errors import AppError, BadInput
from core.words.wording import decimal_text
from subscriptions.models import AiModel, AiModelPrice
from subscriptions.services.catalogue import (
    PLACES,
    ModelPrices,
    change_model,
    check_id,
    check_moment,
    check_prices,
    create_model,
    set_price,
)

FIELDS = ("name", "provider", "description", "capabilities", "context_length", "is_active", "restricted")


class AiModelForm(forms.ModelForm):
    capabilities = forms.CharField(
        label=_("Can do"), required=False, help_text=_("Words, separated by commas: chat, vision.")
    )

    class Meta:
        model = AiModel
        fields = ("id", *FIELDS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.instance.capabilities, list):
            self.initial["capabilities"] = ", ".join(map(str, self.instance.capabilities))

    def clean_id(self) -> str:
        try:
            return check_id(self.cleaned_data["id"])
        except BadInput as error:
            raise forms.ValidationError(error.message) from error

    def clean_capabilities(self) -> list[str]:
        return [word.strip() for word in self.cleaned_data["capabilities"].split(",") if word.strip()]


class PriceForm(forms.ModelForm):
    effective_from = forms.SplitDateTimeField(
        label=_("from"), required=False, widget=AdminSplitDateTime, help_text=_("Empty: from now on.")
    )
    free = forms.BooleanField(label=_("free of charge"), required=False)

    class Meta:
        model = AiModelPrice
        fields = ("effective_from", "input_per_1k", "output_per_1k", "cached_input_per_1k", "reasoning_per_1k",
                  "currency")  # fmt: skip

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors or not self.has_changed():
            return data
        now = timezone.now()
        try:
            check_prices(self.prices(data), free=data["free"])
            check_moment(self.instance.model_id, data["effective_from"] or now, now)
        except BadInput as error:
            field = str(error.details.get("field", ""))
            self.add_error(field if field in self.fields else None, error.message)
        return data

    @staticmethod
    def prices(data: dict[str, Any]) -> ModelPrices:
        return ModelPrices(
            input=data["input_per_1k"], output=data["output_per_1k"], currency=data["currency"],
            cached_input=data["cached_input_per_1k"], reasoning=data["reasoning_per_1k"],
        )  # fmt: skip


class PriceInline(EditInline):
    """Those that are there can be read only."""

    model = AiModelPrice
    form = PriceForm
    extra = 0
    fields = (*PriceForm.Meta.fields, "free", "source", "set_by")
    readonly_fields = ("source", "set_by")
    can_delete = False
    ordering = ("-effective_from",)

    def get_readonly_fields(self, request: HttpRequest, obj: AiModel | None = None) -> Any:
        """Who may only look has no box to tick."""
        return self.readonly_fields if self.has_add_permission(request, obj) else (*self.readonly_fields, "free")

    @admin.display(description=_("free of charge"), boolean=True)
    def free(self, row: AiModelPrice) -> bool:
        return not row.input_per_1k and not row.output_per_1k

    def has_change_permission(self, request: HttpRequest, obj: AiModel | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AiModel | None = None) -> bool:
        return False


@admin.register(AiModel)
class AiModelAdmin(ConsoleAdmin):
    """Written by the catalogue's services, which audit it."""

    form = AiModelForm
    inlines = (PriceInline,)
    list_display = ("id", "name", "provider", "input_price", "output_price", "currency", "restricted", "is_active")
    list_filter = ("is_active", "restricted", "provider")
    search_fields = ("id", "name")
    list_per_page = 50
    readonly_fields = ("prices_now", "behind", "created_at", "updated_at")

    def get_fieldsets(self, request: HttpRequest, obj: AiModel | None = None) -> Any:
        fields = ("id", *FIELDS)
        if obj is None:
            return ((None, {"fields": fields}),)
        more = ("prices_now", "behind", "created_at", "updated_at")
        return ((None, {"fields": fields}), (_("More"), {"fields": more}))

    def get_readonly_fields(self, request: HttpRequest, obj: AiModel | None = None) -> tuple[str, ...]:
        return ("id", *self.readonly_fields) if obj is not None else self.readonly_fields

    @admin.display(description=_("1,000 input tokens"), ordering="input_price_per_1k")
    def input_price(self, model: AiModel) -> str:
        return _number(model.input_price_per_1k)

    @admin.display(description=_("1,000 output tokens"), ordering="output_price_per_1k")
    def output_price(self, model: AiModel) -> str:
        return _number(model.output_price_per_1k)

    @admin.display(description=_("prices in force"))
    def prices_now(self, model: AiModel) -> str:
        if model.input_price_per_1k is None or model.output_price_per_1k is None:
            return "–"
        pair = (decimal_text(each, 2, PLACES) for each in (model.input_price_per_1k, model.output_price_per_1k))
        return f"{' / '.join(pair)} {model.currency}"

    @admin.display(description=_("served by"))
    def behind(self, model: AiModel) -> str:
        return ", ".join(model.metadata.get("sync", {}).get("behind", [])) or "–"

    def has_delete_permission(self, request: HttpRequest, obj: AiModel | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: AiModel, form: ModelForm, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in FIELDS}
        if change:
            change_model(actor=actor_of(request), model=AiModel.objects.get(pk=obj.pk), **values)
            return
        create_model(actor=actor_of(request), id=obj.pk, **values)
        obj._state.adding = False

    def save_formset(self, request: HttpRequest, form: ModelForm, formset: Any, change: bool) -> None:
        formset.save(commit=False)  # tells the page what was added; the service writes it
        for each in formset.extra_forms:
            if not each.has_changed():
                continue
            data = each.cleaned_data
            try:
                set_price(
                    actor=actor_of(request), model=form.instance, prices=PriceForm.prices(data), free=data["free"],
                    effective_from=data["effective_from"],
                )  # fmt: skip
            except AppError as error:  # somebody else was quicker
                self.message_user(request, error.message, messages.ERROR)


def _number(value: Any) -> str:
    return "–" if value is None else format_html('<span class="num">{}</span>', decimal_text(value, 2, PLACES))
