"""Payments, to be read; finance decides about money that fitted nothing, gives back, and collects again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core.console.admin import PageActions, ReadOnlyAdmin, console_day
from payments import attention
from payments.admin import parts, payment_actions, refund_page
from payments.admin.inlines import AttemptInline, DisputeInline, EventInline, RefundInline
from payments.models import Payment, PaymentStatus


class NeedFilter(parts.ConditionFilter):
    title = _("what it needs")
    parameter_name = "need"
    conditions = {
        "credit": (_("holds money beyond the bill"), attention.credits),
        "unknown": (_("outcome unknown"), attention.outcome_unknown),
        "given_up": (_("given up, still to be paid"), attention.given_up),
    }


class MoneyFilter(admin.SimpleListFilter):
    title = _("money")
    parameter_name = "live__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", gettext("real money")), ("0", gettext("test money"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        return queryset.filter(live=self.value() == "1") if self.value() in ("0", "1") else queryset


@admin.register(Payment)
class PaymentAdmin(PageActions, ReadOnlyAdmin):
    list_display = (
        "id", "document", "user", "way", "money", "received", "given_back", "standing", "retries", "created_on",
    )  # fmt: skip
    list_filter = ("status", parts.ProviderFilter, NeedFilter, MoneyFilter, ("created_at", admin.DateFieldListFilter))
    search_fields = (
        "=id", "receipt__document_number", "invoice__invoice_number", "user__username", "idempotency_key",
        "external_payment_id", "external_charge_id",
    )  # fmt: skip
    search_help_text = _("Number of the receipt or invoice, user, our key or an id of the provider")
    list_select_related = ("receipt", "invoice__organisation", "user")
    list_per_page = 50
    inlines = (RefundInline, DisputeInline, AttemptInline, EventInline)
    actions = page_actions = ("accept_action", "close_action", "sync_action", "retry_action", "retries_action")
    change_form_template = "admin/payments/payment/change_form.html"
    fieldsets = (
        (None, {"fields": ("document", "user", "way", "state", "why", "mode")}),
        (_("Money"), {"fields": ("money", "received", "given_back", "refundable", "credit")}),
        (_("Retries"), {"fields": ("retries", "retry_of", "gave_up")}),
        (_("At the provider"), {"fields": ("external_payment_id", "external_charge_id", "idempotency_key", "asked",
                                           "checked")}),
        (_("Times"), {"fields": ("created", "expires", "captured", "paid", "reviewed", "reconciled")}),
    )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.refund_view)
        return [path("<int:pk>/refund/", view, name="payments_payment_refund"), *super().get_urls()]

    def refund_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.model._meta}
        return refund_page.view(self, request, pk, context)

    def get_inlines(self, request: HttpRequest, obj: Payment | None) -> list[Any]:
        """Only what there is."""
        if obj is None:
            return list(self.inlines)
        present = Payment.objects.filter(pk=obj.pk).values_list(*(each.of_the_payment() for each in self.inlines))
        return [each for each, there in zip(self.inlines, present.get(), strict=True) if there]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Payment | None:
        payment: Payment | None = super().get_object(request, object_id, from_field)
        if payment is not None and request.method == "GET":
            prefetch_related_objects([payment], "disputes")  # three cells of the page rest on them
        return payment

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        may = row is not None and row.refundable_cents > 0 and refund_page.may(request)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "may_refund": may})

    # --- cells ---------------------------------------------------------------

    @admin.display(description=_("receipt or invoice"), ordering="receipt")
    def document(self, payment: Payment) -> SafeString:
        return parts.document_link(payment)

    @admin.display(description=_("way to pay"), ordering="provider")
    def way(self, payment: Payment) -> str:
        return " · ".join(filter(None, (parts.provider_label(payment.provider), parts.method_label(payment.method))))

    @admin.display(description=_("amount"), ordering="amount_cents")
    def money(self, payment: Payment) -> SafeString:
        return parts.money_cell(payment.amount_cents, payment.currency)

    @admin.display(description=_("received"), ordering="captured_cents")
    def received(self, payment: Payment) -> SafeString:
        return parts.money_cell(payment.captured_cents, payment.currency)

    @admin.display(description=_("given back"), ordering="refunded_cents")
    def given_back(self, payment: Payment) -> SafeString:
        return parts.money_cell(payment.refunded_cents, payment.currency)

    @admin.display(description=_("can be given back"))
    def refundable(self, payment: Payment) -> SafeString:
        return parts.money_cell(payment.refundable_cents, payment.currency)

    @admin.display(description=_("held beyond the bill"))
    def credit(self, payment: Payment) -> SafeString:
        return parts.money_cell(payment.credit_cents, payment.currency)

    @admin.display(description=_("status"), ordering="status")
    def state(self, payment: Payment) -> SafeString:
        return parts.chip(payment.status, payment.get_status_display())

    @admin.display(description=_("status"), ordering="status")
    def standing(self, payment: Payment) -> SafeString:
        """The state, and under it what to know of it."""
        why = self.why(payment)
        below = format_html('<span class="sub">{}</span>', why) if why != parts.NOTHING else ""
        return format_html("{}{}", self.state(payment), below)

    @admin.display(description=_("why"))
    def why(self, payment: Payment) -> str:
        if payment.status in (PaymentStatus.SUCCEEDED, PaymentStatus.PENDING, PaymentStatus.AUTHORIZED):
            return gettext("outcome unknown") if payment.outcome_unknown else parts.NOTHING
        return parts.told(payment.review_reason or payment.failure, payment) or parts.NOTHING

    @admin.display(description=_("kind of money"))
    def mode(self, payment: Payment) -> str:
        return gettext("real money") if payment.live else gettext("test money")

    @admin.display(description=_("retries"), ordering="next_retry_at")
    def retries(self, payment: Payment) -> SafeString | str:
        """Of how many, and what comes next."""
        if payment.status != PaymentStatus.FAILED and not payment.retry_count:
            return parts.NOTHING
        numbers = gettext("%(done)s of %(most)s") % {"done": payment.retry_count, "most": payment.max_retries}
        if payment.gave_up_at:
            return format_html("{}, {}", numbers, gettext("given up"))
        if payment.next_retry_at:
            return format_html("{}, {}", numbers, gettext("next %(day)s") % {"day": console_day(payment.next_retry_at)})
        return numbers

    @admin.display(description=_("created"), ordering="created_at")
    def created_on(self, payment: Payment) -> str:
        return console_day(payment.created_at)

    gave_up = parts.moment_cell("gave_up_at", _("given up"))
    asked = parts.moment_cell("asked_at", _("provider asked"))
    checked = parts.moment_cell("checked_at", _("provider's record last read"))
    created = parts.moment_cell("created_at", _("created"))
    expires = parts.moment_cell("expires_at", _("checkout open until"))
    captured = parts.moment_cell("captured_at", _("received, by the provider's clock"))
    paid = parts.moment_cell("paid_at", _("paid"))
    reviewed = parts.moment_cell("reviewed_at", _("decided"))
    reconciled = parts.moment_cell("reconciled_at", _("reconciled"))

    # --- actions -------------------------------------------------------------

    def has_page_action(self, payment: Payment, name: str) -> bool:
        return payment_actions.makes_sense(payment, name)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.resolve_payment")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.retry_payment")

    @admin.action(description=_("The money is there: accept …"), permissions=["resolve"])
    def accept_action(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        return payment_actions.ACCEPT.answer(self, request, queryset)

    @admin.action(description=_("No money, or given back: close …"), permissions=["resolve"])
    def close_action(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        return payment_actions.CLOSE.answer(self, request, queryset)

    @admin.action(description=_("Ask the provider now …"), permissions=["resolve"])
    def sync_action(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        return payment_actions.SYNC.answer(self, request, queryset)

    @admin.action(description=_("Try again now …"), permissions=["retry"])
    def retry_action(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        return payment_actions.RETRY.answer(self, request, queryset)

    @admin.action(description=_("Retries …"), permissions=["retry"])
    def retries_action(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        return payment_actions.RETRIES.answer(self, request, queryset)
