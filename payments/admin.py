"""Payments and provider calls, to be read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.admin import ReadOnlyAdmin
from core.wording import money_text
from payments.models import Payment, PaymentEvent


class PaymentEventInline(admin.TabularInline):
    model = PaymentEvent
    fields = readonly_fields = ("received_at", "event_type", "external_event_id", "signature_ok", "outcome", "detail")
    can_delete = False
    max_num = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ("id", "receipt", "user", "provider", "money", "status", "review_reason", "paid_at", "created_at")
    list_filter = ("status", "provider", ("created_at", admin.DateFieldListFilter))
    search_fields = ("=id", "user__username", "external_payment_id", "idempotency_key")
    list_select_related = ("receipt", "user")
    inlines = (PaymentEventInline,)

    @admin.display(description=_("amount"), ordering="amount_cents")
    def money(self, payment: Payment) -> str:
        return format_html('<span class="num">{}</span>', money_text(payment.amount, payment.currency))


@admin.register(PaymentEvent)
class PaymentEventAdmin(ReadOnlyAdmin):
    list_display = ("id", "received_at", "provider", "event_type", "payment", "signature_ok", "outcome", "detail")
    list_filter = ("outcome", "provider", "signature_ok", ("received_at", admin.DateFieldListFilter))
    search_fields = ("external_event_id", "=payment__id")
    list_select_related = ("payment",)
