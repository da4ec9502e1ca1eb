"""What providers told us: read, and worked on again."""

from __future__ import annotations

from django.contrib import admin

from core.admin import ReadOnlyAdmin
from payments.models import PaymentEvent


@admin.register(PaymentEvent)
class PaymentEventAdmin(ReadOnlyAdmin):
    list_display = ("id", "received_at", "provider", "event_type", "payment", "signature_ok", "outcome", "detail")
    list_filter = ("outcome", "provider", "signature_ok", ("received_at", admin.DateFieldListFilter))
    search_fields = ("external_event_id", "=payment__id")
    list_select_related = ("payment",)
