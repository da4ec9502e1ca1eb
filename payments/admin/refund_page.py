"""Giving money of one payment back: how much and why, then what that will change, then the act."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Invoice, ReceiptStatus
from billing.services.invoices.returns import in_balance
from core.console.admin import ACCEPTED
from core.context import actor_of
from core.errors import AppError
from core.money import from_minor, places, to_minor
from payments import providers
from payments.admin import parts
from payments.models import Payment, PaymentStatus, Refund, RefundStatus
from payments.payables import payable_of
from payments.selectors import is_refundable
from payments.services.refunds import refund_payment
from payments.services.returns import kept_cents


class RefundForm(forms.Form):
    amount = forms.DecimalField(label=gettext_lazy("Amount to give back"), max_digits=14)
    reason = forms.CharField(label=gettext_lazy("Reason, kept with the refund"), max_length=255)
    seen = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, payment: Payment, data: Any = None, **initial: Any) -> None:
        most = from_minor(payment.refundable_cents, payment.currency)
        super().__init__(data, initial={"amount": most, "seen": payment.refunded_cents, **initial})
        least = Decimal(1).scaleb(-places(payment.currency))
        self.fields["amount"] = forms.DecimalField(
            label=self.fields["amount"].label, min_value=least, max_value=most, max_digits=14,
            decimal_places=places(payment.currency),
        )  # fmt: skip
        self.payment = payment

    @property
    def amount_text(self) -> str:
        """Of a valid form, as it can be sent again: no separators, no places that nobody typed."""
        return f"{self.cleaned_data['amount']:f}"

    @property
    def minor(self) -> int:
        """Of a valid form."""
        return to_minor(self.cleaned_data["amount"], self.payment.currency)


@dataclass(frozen=True, slots=True)
class Effect:
    """What giving an amount back will change, in sentences."""

    sum: str
    by: str
    document: str


def may(request: HttpRequest) -> bool:
    return request.user.has_perm("payments.refund_payment") and request.user.has_perm("payments.view_payment")


def view(site: admin.ModelAdmin, request: HttpRequest, pk: int, context: dict[str, Any]) -> HttpResponse:
    """The first POST shows the effect, the second (with ``confirm``) gives back."""
    if not may(request):
        raise PermissionDenied
    payment = get_object_or_404(Payment.objects.select_related("receipt", "invoice__organisation", "user"), pk=pk)
    form = _form(request, payment)
    effect = None
    if form.is_bound and form.is_valid():
        if "confirm" in request.POST:
            _give_back(site, request, payment, form)
            return redirect(reverse("admin:payments_payment_change", args=[pk]))
        effect = _effect(payment, form.minor)
    more = {
        "title": _("Give money back"), "payment": payment, "payable": payable_of(payment), "form": form,
        "effect": effect,
        "sums": {
            _("Received"): parts.minor_text(payment.captured_cents, payment.currency),
            _("Given back"): parts.minor_text(payment.refunded_cents, payment.currency),
            _("Can be given back"): parts.minor_text(payment.refundable_cents, payment.currency),
        },
    }  # fmt: skip
    status = 400 if form.errors else 200
    return TemplateResponse(request, "admin/payments/payment/refund.html", {**context, **more}, status=status)


def _form(request: HttpRequest, payment: Payment) -> RefundForm:
    """Empty at first; with what was typed when somebody wants to change it."""
    if "edit" in request.POST:
        return RefundForm(payment, amount=request.POST.get("amount"), reason=request.POST.get("reason"))
    return RefundForm(payment, request.POST if request.method == "POST" else None)


def _give_back(site: admin.ModelAdmin, request: HttpRequest, payment: Payment, form: RefundForm) -> None:
    data = form.cleaned_data
    try:
        refund = parts.asking(
            lambda: refund_payment(
                actor=actor_of(request), payment=payment, amount_minor=form.minor, reason=data["reason"],
                seen_minor=data["seen"],
            )
        )  # fmt: skip
    except AppError as error:
        level = messages.INFO if error.http_status == ACCEPTED else messages.ERROR
        site.message_user(request, error.message, level)
        return
    site.message_user(request, _said(refund), messages.SUCCESS)


def _said(refund: Refund) -> str:
    names = {"refund": refund, "sum": parts.minor_text(refund.amount_cents, refund.payment.currency)}
    if refund.by_hand:
        return (
            _("Refund %(refund)s of %(sum)s is written down. Send the money, then enter the bank's reference.") % names
        )
    if refund.status == RefundStatus.SUCCEEDED:
        return _("Refund %(refund)s: %(sum)s was given back.") % names
    return _("Refund %(refund)s of %(sum)s: %(status)s.") % {**names, "status": refund.get_status_display()}


def _effect(payment: Payment, minor: int) -> Effect:
    text = parts.minor_text(minor, payment.currency)
    names = {"provider": parts.provider_label(payment.provider)}
    if _by_provider(payment):
        words = _("%(provider)s gives it back to the payer by itself.")
    else:
        words = _(
            "%(provider)s cannot give this money back: finance sends it by bank, and enters the bank's reference on the"
            " refund. Until then the refund waits."
        )
    effect = _of_invoice(payment, minor) if payment.invoice else _of_receipt(payment, minor)
    return Effect(text, words % names, effect)


def _by_provider(payment: Payment) -> bool:
    try:
        return is_refundable(payment, providers.provider(payment.provider))
    except AppError:  # not set up any more: the service says so when it is asked
        return False


def _of_receipt(payment: Payment, minor: int) -> str:
    receipt = payable_of(payment)
    names = {"receipt": receipt, "rest": parts.minor_text(kept_cents(payment) - minor, payment.currency)}
    left = payment.refundable_cents - minor
    if payment.status == PaymentStatus.SUCCEEDED and receipt.status == ReceiptStatus.PAID:
        if not left:
            return (
                _("Nothing is left: receipt %(receipt)s becomes refunded. Its jobs stay on it until it is voided.")
                % names
            )
        return _("Receipt %(receipt)s stays paid.") % names
    if payment.status == PaymentStatus.NEEDS_REVIEW and not left:
        return _("Nothing is left: the payment in review ends as canceled.") % names
    return _("Receipt %(receipt)s stays %(status)s.") % {**names, "status": receipt.standing}


def _of_invoice(payment: Payment, minor: int) -> str:
    """What is owed, and what of it is due again: money that a credit note took back was not owed any more."""
    invoice = payment.invoice
    assert isinstance(invoice, Invoice)  # noqa: S101 - asked for those of invoices only
    if payment.status != PaymentStatus.SUCCEEDED:
        return _("Invoice %(invoice)s stays as it is: this money was never counted for it.") % {"invoice": invoice}
    amount = from_minor(minor, payment.currency)
    again = min(max(amount - in_balance(invoice), Decimal(0)), invoice.amount_paid)
    if not again:
        return _("It comes out of the organisation's balance; invoice %(invoice)s stays as it is.") % {
            "invoice": invoice
        }  # fmt: skip
    words = _(
        "%(sum)s of invoice %(invoice)s is due again, and asked for. If it is not owed any more, write a credit note"
        " first."
    )
    return words % {"sum": parts.minor_text(to_minor(again, payment.currency), payment.currency), "invoice": invoice}
