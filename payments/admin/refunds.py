"""Money that goes back: refunds, which finance may have to send itself, and disputes, which banks decide."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from core.console.admin import PageActions, ReadOnlyAdmin, console_day
from payments import attention
from payments.admin import parts, refund_actions
from payments.admin.inlines import dispute_chip
from payments.models import OPEN_REFUNDS, Dispute, Refund, RefundStatus


class NeedFilter(parts.ConditionFilter):
    title = _("what it needs")
    parameter_name = "need"
    conditions = {
        "to_send": (_("to send by hand"), attention.to_send),
        "trouble": (_("needs review, or failed in 30 days"), lambda: attention.refund_trouble(timezone.now())),
    }


class OfPayment:
    """Cells that refunds and disputes share."""

    @admin.display(description=_("payment"), ordering="payment")
    def payment_cell(self, row: Refund | Dispute) -> SafeString:
        return parts.payment_link(row.payment)

    @admin.display(description=_("receipt or invoice"), ordering="payment__receipt")
    def document(self, row: Refund | Dispute) -> SafeString:
        return parts.document_link(row.payment)

    @admin.display(description=_("user"), ordering="payment__user")
    def username(self, row: Refund | Dispute) -> str:
        return row.payment.username

    @admin.display(description=_("provider"), ordering="payment__provider")
    def provider(self, row: Refund | Dispute) -> str:
        return parts.provider_label(row.payment.provider)

    @admin.display(description=_("amount"), ordering="amount_cents")
    def money(self, row: Refund | Dispute) -> SafeString:
        return parts.money_cell(row.amount_cents, row.payment.currency)


DOCUMENTS = ("payment__receipt", "payment__invoice__organisation")
NUMBERS = ("payment__receipt__document_number", "payment__invoice__invoice_number")


@admin.register(Refund)
class RefundAdmin(OfPayment, PageActions, ReadOnlyAdmin):
    list_display = (
        "id", "payment_cell", "document", "username", "provider", "money", "state", "sender", "reason", "created_on",
    )  # fmt: skip
    list_filter = (
        "status", NeedFilter, "origin", parts.ProviderOfPaymentFilter, ("created_at", admin.DateFieldListFilter),
    )  # fmt: skip
    also_asked = ("settled_at",)
    search_fields = (
        "=id", *NUMBERS, "payment__user__username", "idempotency_key", "external_refund_id",
        "payment__external_payment_id", "payment__external_charge_id",
    )  # fmt: skip
    search_help_text = _("Number of the receipt or invoice, user, our key or an id of the provider")
    list_select_related = (*DOCUMENTS, "payment__user")
    list_per_page = 50
    actions = page_actions = ("confirm_action", "cancel_action", "ask_action")
    fieldsets = (
        (None, {"fields": ("payment_cell", "document", "username", "money", "state", "sender", "reason")}),
        (_("At the provider"), {"fields": ("provider", "origin", "external_refund_id", "idempotency_key", "asked",
                                           "detail")}),
        (_("Times"), {"fields": ("created", "created_by", "settled")}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        return super().get_queryset(request).select_related(*DOCUMENTS, "payment__user")

    @admin.display(description=_("status"), ordering="status")
    def state(self, refund: Refund) -> SafeString:
        return parts.chip(refund.status, refund.get_status_display())

    @admin.display(description=_("sent"), ordering="by_hand")
    def sender(self, refund: Refund) -> str:
        return parts.sender(refund)

    @admin.display(description=_("created"), ordering="created_at")
    def created_on(self, refund: Refund) -> str:
        return console_day(refund.created_at)

    asked = parts.moment_cell("asked_at", _("provider asked"))
    created = parts.moment_cell("created_at", _("created"))
    settled = parts.moment_cell("settled_at", _("ended"))

    def has_page_action(self, refund: Refund, name: str) -> bool:
        if name == "ask_action":
            return refund.status == RefundStatus.REQUESTED and not refund.by_hand
        return refund.status in OPEN_REFUNDS and refund.by_hand

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.refund_payment")

    @admin.action(description=_("Sent by hand …"), permissions=["refund"])
    def confirm_action(self, request: HttpRequest, queryset: QuerySet[Refund]) -> HttpResponse | None:
        return refund_actions.CONFIRM.answer(self, request, queryset)

    @admin.action(description=_("Not sent …"), permissions=["refund"])
    def cancel_action(self, request: HttpRequest, queryset: QuerySet[Refund]) -> HttpResponse | None:
        return refund_actions.CANCEL.answer(self, request, queryset)

    @admin.action(description=_("Ask again …"), permissions=["refund"])
    def ask_action(self, request: HttpRequest, queryset: QuerySet[Refund]) -> HttpResponse | None:
        return refund_actions.ASK.answer(self, request, queryset)


@admin.register(Dispute)
class DisputeAdmin(OfPayment, ReadOnlyAdmin):
    list_display = (
        "external_dispute_id", "payment_cell", "document", "username", "provider", "money", "state", "reason",
        "opened_on", "closed_on",
    )  # fmt: skip
    list_filter = ("status", parts.ProviderOfPaymentFilter, ("opened_at", admin.DateFieldListFilter))
    search_fields = (
        "external_dispute_id", *NUMBERS, "payment__user__username",
        "payment__external_payment_id", "payment__external_charge_id",
    )  # fmt: skip
    list_select_related = (*DOCUMENTS, "payment__user")
    list_per_page = 50
    fields = ("external_dispute_id", "payment_cell", "document", "username", "provider", "money", "state", "reason",
              "opened", "closed")  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dispute]:
        return super().get_queryset(request).select_related(*DOCUMENTS, "payment__user")

    @admin.display(description=_("status"), ordering="status")
    def state(self, dispute: Dispute) -> SafeString:
        return dispute_chip(dispute)

    @admin.display(description=_("opened"), ordering="opened_at")
    def opened_on(self, dispute: Dispute) -> str:
        return console_day(dispute.opened_at)

    @admin.display(description=_("closed"), ordering="closed_at")
    def closed_on(self, dispute: Dispute) -> str:
        return console_day(dispute.closed_at)

    opened = parts.moment_cell("opened_at", _("opened"))
    closed = parts.moment_cell("closed_at", _("closed"))
