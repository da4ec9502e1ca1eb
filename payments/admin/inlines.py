"""What hangs on a payment: messages, refunds, disputes and tries to collect it."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from core.admin import ReadOnlyInline
from payments.admin import parts
from payments.models import Dispute, PaymentAttempt, PaymentEvent, Refund


class EventInline(ReadOnlyInline):
    model = PaymentEvent
    fields = readonly_fields = ("received", "event_type", "state", "detail", "deliveries")

    @admin.display(description=_("received"))
    def received(self, event: PaymentEvent) -> str:
        return parts.when(event.received_at)

    @admin.display(description=_("outcome"))
    def state(self, event: PaymentEvent) -> SafeString:
        return parts.chip(event.outcome, event.get_outcome_display())


class RefundInline(ReadOnlyInline):
    model = Refund
    fields = readonly_fields = ("created", "money", "state", "by_hand", "reason", "detail", "created_by")

    @admin.display(description=_("created"))
    def created(self, refund: Refund) -> str:
        return parts.when(refund.created_at)

    @admin.display(description=_("amount"))
    def money(self, refund: Refund) -> SafeString:
        return parts.money_cell(refund.amount_cents, refund.payment.currency)

    @admin.display(description=_("status"))
    def state(self, refund: Refund) -> SafeString:
        return parts.chip(refund.status, refund.get_status_display())


class DisputeInline(ReadOnlyInline):
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


class AttemptInline(ReadOnlyInline):
    model = PaymentAttempt
    fk_name = "payment"
    show_change_link = False
    fields = readonly_fields = ("number", "attempted", "outcome", "detail", "new")

    @admin.display(description=_("when"))
    def attempted(self, attempt: PaymentAttempt) -> str:
        return parts.when(attempt.attempted_at)

    @admin.display(description=_("new payment"))
    def new(self, attempt: PaymentAttempt) -> str:
        return parts.payment_link(attempt.new_payment) if attempt.new_payment else parts.NOTHING
