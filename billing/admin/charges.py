"""Fees of subscriptions: read, never edited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from billing.models import SubscriptionCharge
from billing.words.fees import charge_days, how_words, why_words
from core.console.admin import ReadOnlyAdmin, ReadOnlyInline, console_day
from core.words.wording import money_text


class ChargeColumns:
    """How both the list and a subscription's page show a charge."""

    @admin.display(description=_("for"), ordering="period_start")
    def days(self, row: SubscriptionCharge) -> str:
        return charge_days(row)

    @admin.display(description=_("what for"))
    def why(self, row: SubscriptionCharge) -> str:
        return why_words(row)

    @admin.display(description=_("how it came about"))
    def how(self, row: SubscriptionCharge) -> str:
        return how_words(row)

    @admin.display(description=_("amount"), ordering="amount")
    def money(self, row: SubscriptionCharge) -> str:
        return format_html('<span class="num">{}</span>', money_text(row.amount, row.currency))

    @admin.display(description=_("billed on"), ordering="claimed_by")
    def billed(self, row: SubscriptionCharge) -> str:
        return row.claimed_by or "–"


class ClaimedFilter(admin.SimpleListFilter):
    title, parameter_name = _("billed"), "billed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("not yet")), ("yes", _("on an invoice"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "no":
            return queryset.filter(claimed_by="")
        return queryset.exclude(claimed_by="") if self.value() == "yes" else queryset


@admin.register(SubscriptionCharge)
class SubscriptionChargeAdmin(ChargeColumns, ReadOnlyAdmin):
    list_display = ("id", "subscription", "kind", "days", "money", "due_on", "billed")
    list_filter = (ClaimedFilter, "kind", ("due_at", admin.DateFieldListFilter))
    list_select_related = (
        "subscription__plan", "subscription__organisation", "subscription__user", "price__plan",
    )  # fmt: skip
    list_per_page = 50
    ordering = ("-id",)
    search_fields = ("subscription__user__username", "subscription__organisation__name", "claimed_by")
    fields = ("subscription", "kind", "why", "days", "money", "how", "price", "due_at", "billed", "created_at")

    @admin.display(description=_("due"), ordering="due_at")
    def due_on(self, row: SubscriptionCharge) -> str:
        return console_day(row.due_at)


class ChargeInline(ChargeColumns, ReadOnlyInline):
    """The newest ones; the list has them all."""

    model = SubscriptionCharge
    fields = ("days", "why", "how", "money", "billed")
    readonly_fields = fields
    shown = 24

    def get_queryset(self, request: HttpRequest) -> QuerySet[SubscriptionCharge]:
        rows: QuerySet[SubscriptionCharge] = super().get_queryset(request)
        match = request.resolver_match
        key = match.kwargs.get("object_id") if match else None
        newest = rows.filter(subscription=key).order_by("-id").values_list("pk", flat=True)[: self.shown]
        return rows.filter(pk__in=list(newest)).order_by("-id")
