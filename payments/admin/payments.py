"""Payments, to be read; finance decides about money that fitted nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core.admin import ConfirmedAction, ReadOnlyAdmin, console_day
from core.wording import money_text
from payments.models import Payment, PaymentEvent, PaymentStatus
from payments.services.review import accept_payment, close_payment


class PaymentEventInline(admin.TabularInline):
    model = PaymentEvent
    fields = readonly_fields = ("received_at", "event_type", "external_event_id", "signature_ok", "outcome", "detail")
    can_delete = False
    max_num = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ("id", "receipt", "user", "provider", "money", "status", "review_reason", "paid_on", "created_on")
    list_filter = ("status", "provider", ("created_at", admin.DateFieldListFilter))
    search_fields = ("=id", "user__username", "external_payment_id", "idempotency_key")
    list_select_related = ("receipt", "user")
    inlines = (PaymentEventInline,)
    actions = ("accept_action", "close_action")

    @admin.display(description=_("amount"), ordering="amount_cents")
    def money(self, payment: Payment) -> str:
        return format_html('<span class="num">{}</span>', money_text(payment.amount, payment.currency))

    @admin.display(description=_("paid"), ordering="paid_at")
    def paid_on(self, payment: Payment) -> str:
        return console_day(payment.paid_at)

    @admin.display(description=_("created"), ordering="created_at")
    def created_on(self, payment: Payment) -> str:
        return console_day(payment.created_at)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.resolve_payment")

    @admin.action(description=_("The money is there: accept …"), permissions=["resolve"])
    def accept_action(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        return ACCEPT.answer(self, request, queryset)

    @admin.action(description=_("No money, or given back: close …"), permissions=["resolve"])
    def close_action(self, request: HttpRequest, queryset: QuerySet[Payment]) -> HttpResponse | None:
        return CLOSE.answer(self, request, queryset)


_HEADERS = (_("payment"), _("receipt"), _("user"), _("why it needs review"))


def _cells(payment: Payment) -> tuple[str, ...]:
    return str(payment), str(payment.receipt), payment.username, payment.review_reason


ACCEPT = ConfirmedAction(
    name="accept_action",
    title=_("Accept payments"),
    field_label=_("What the provider's own record shows"),
    status=PaymentStatus.NEEDS_REVIEW,
    headers=_HEADERS,
    row=_cells,
    money=lambda payment: (payment.amount, payment.currency),
    button=lambda n: ngettext("Accept %(n)d payment", "Accept %(n)d payments", n) % {"n": n},
    done=lambda n: ngettext("%(n)d payment accepted.", "%(n)d payments accepted.", n) % {"n": n},
    run=lambda actor, payment, text: accept_payment(actor=actor, payment=payment, note=text),
)
CLOSE = replace(
    ACCEPT,
    name="close_action",
    title=_("Close payments without money"),
    field_label=_("What was found out"),
    button=lambda n: ngettext("Close %(n)d payment", "Close %(n)d payments", n) % {"n": n},
    done=lambda n: ngettext("%(n)d payment closed.", "%(n)d payments closed.", n) % {"n": n},
    run=lambda actor, payment, text: close_payment(actor=actor, payment=payment, note=text),
)
