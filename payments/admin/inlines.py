"""What hangs on a payment: messages, refunds, disputes and tries to collect it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from core.console.admin import ReadOnlyInline
from payments.admin import parts
from payments.models import Dispute, PaymentAttempt, PaymentEvent, Refund


class OfPayment(ReadOnlyInline):
    @classmethod
    def of_the_payment(cls) -> Exists:
        """For a query of payments: whether there are any."""
        return Exists(cls.model._default_manager.filter(payment=OuterRef("pk")))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("payment")


class EventInline(OfPayment):
    model = PaymentEvent
    fields = readonly_fields = ("received", "event_type", "state", "told", "deliveries")

    told = parts.detail_cell("detail", _("detail"))

    @admin.display(description=_("received"))
    def received(self, event: PaymentEvent) -> str:
        return parts.when(event.received_at)

    @admin.display(description=_("outcome"))
    def state(self, event: PaymentEvent) -> SafeString:
        return parts.chip(event.outcome, event.get_outcome_display())


class RefundInline(OfPayment):
    model = Refund
    fields = readonly_fields = ("created", "money", "state", "sender", "reason", "detail", "created_by")

    @admin.display(description=_("created"))
    def created(self, refund: Refund) -> str:
        return parts.when(refund.created_at)

    @admin.display(description=_("amount"))
    def money(self, refund: Refund) -> SafeString:
        return parts.money_cell(refund.amount_cents, refund.payment.currency)

    @admin.display(description=_("status"))
    def state(self, refund: Refund) -> SafeString:
        return parts.chip(refund.status, refund.get_status_display())

    @admin.display(description=_("sent"))
    def sender(self, refund: Refund) -> str:
        return parts.sender(refund)


class DisputeInline(OfPayment):
    model = Dispute
    fields = readonly_fields = ("opened", "external_dispute_id", "money", "state", "reason")

    @admin.display(description=_("opened"))
    def opened(self, dispute: Dispute) -> str:
        return parts.when(dispute.opened_at)

    @admin.display(description=_("amount"))
    def money(self, dispute: Dispute) -> SafeString:
        return parts.money_cell(dispute.amount_cents, dispute.payment.currency)

    @admin.display(description=_("status"))
    def state(self, dispute: Dispute) -> SafeString:
        return dispute_chip(dispute)


def dispute_chip(dispute: Dispute) -> SafeString:
    return parts.chip("disputed" if dispute.status == "open" else dispute.status, dispute.get_status_display())


class AttemptInline(OfPayment):
    model = PaymentAttempt
    fk_name = "payment"
    show_change_link = False
    fields = readonly_fields = ("number", "attempted", "outcome", "detail", "new")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaymentAttempt]:
        return super().get_queryset(request).select_related("new_payment")

    @admin.display(description=_("when"))
    def attempted(self, attempt: PaymentAttempt) -> str:
        return parts.when(attempt.attempted_at)

    @admin.display(description=_("new payment"))
    def new(self, attempt: PaymentAttempt) -> str:
        return parts.payment_link(attempt.new_payment) if attempt.new_payment else parts.NOTHING
