"""What finance writes down of an invoice's payments by hand, and takes back where it was a mistake."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.invoice_pages import need, page, sent, typed
from billing.models import Invoice, InvoicePayment
from billing.selectors.documents.invoices import reversible
from billing.services.invoices.payments import PAYABLE, check_overpayment, record_payment_by_hand, reverse_payment
from billing.services.invoices.returns import in_balance
from core.console.admin import ACCEPTED
from core.context import actor_of
from core.errors import AppError, BadInput
from core.money import places
from core.periods import today
from core.words.wording import day_text, money_text


class PaymentForm(forms.Form):
    amount = forms.DecimalField(label=gettext_lazy("Amount received"), max_digits=18)
    reference = forms.CharField(label=gettext_lazy("Payment reference (transfer slip)"), max_length=255)
    received_on = forms.DateField(
        label=gettext_lazy("Received on"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    overpayment = forms.DecimalField(
        label=gettext_lazy("Of it more than is due, where so much came"), required=False, max_digits=18
    )

    def __init__(self, invoice: Invoice, data: Any, typed: dict[str, Any]) -> None:
        due = f"{invoice.amount_due:.{places(invoice.currency)}f}"
        super().__init__(data, initial={"amount": due, "received_on": today(), **typed})
        self.fields["amount"] = forms.DecimalField(
            label=self.fields["amount"].label, min_value=Decimal(1).scaleb(-places(invoice.currency)), max_digits=18,
            decimal_places=places(invoice.currency),
        )  # fmt: skip

    def clean_overpayment(self) -> Decimal:
        return self.cleaned_data["overpayment"] or Decimal(0)


class ReverseForm(forms.Form):
    payment = forms.ModelChoiceField(InvoicePayment.objects.none(), label=gettext_lazy("Payment"))
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=255)

    def __init__(self, invoice: Invoice, data: Any, typed: dict[str, Any]) -> None:
        super().__init__(data, initial=typed)
        there = reversible(invoice)
        self.fields["payment"] = forms.ModelChoiceField(there, label=self.fields["payment"].label)
        self.possible = there.exists()


def pay_view(site: admin.ModelAdmin, request: HttpRequest, pk: int, context: dict[str, Any]) -> HttpResponse:
    """The first POST shows the effect, the second (with ``confirm``) writes it down."""
    need(request, "billing.pay_invoice")
    invoice = get_object_or_404(Invoice.objects.select_related("organisation"), pk=pk)
    form = PaymentForm(invoice, sent(request), typed(request))
    effects: list[str] = []
    if form.is_bound and form.is_valid():
        if "confirm" in request.POST:
            return _pay(site, request, invoice, form.cleaned_data)
        try:
            check_overpayment(invoice, form.cleaned_data["amount"], form.cleaned_data["overpayment"])
            effects = _of_payment(invoice, form.cleaned_data)
        except BadInput as error:
            form.add_error("overpayment", error.message)
    return page(request, invoice, form, context, effects, {
        "title": _("Record a payment"), "button": _("Record the payment"), "possible": invoice.status in PAYABLE,
        "again": [(name, str(value)) for name, value in form.cleaned_data.items()] if effects else [],
        "sums": {_("Total"): invoice.total, _("Due"): invoice.amount_due},
    })  # fmt: skip


def _pay(site: admin.ModelAdmin, request: HttpRequest, invoice: Invoice, data: dict[str, Any]) -> HttpResponse:
    try:
        new = record_payment_by_hand(
            actor=actor_of(request), invoice=invoice, amount=data["amount"], reference=data["reference"],
            received_on=data["received_on"], overpayment=data["overpayment"],
        )  # fmt: skip
    except AppError as error:
        level = messages.INFO if error.http_status == ACCEPTED else messages.ERROR
        site.message_user(request, error.message, level)
    else:
        words = _("The payment is recorded.") if new else _("This payment was recorded before.")
        site.message_user(request, words, messages.SUCCESS if new else messages.WARNING)
    return redirect(reverse("admin:billing_invoice_change", args=[invoice.pk]))


def _of_payment(invoice: Invoice, data: dict[str, Any]) -> list[str]:
    amount: Decimal = data["amount"]
    rest, over = invoice.amount_due - amount, amount - invoice.amount_due
    sums = {"sum": money_text(amount, invoice.currency), "day": day_text(data["received_on"]),
            "rest": money_text(max(rest, Decimal(0)), invoice.currency),
            "over": money_text(max(over, Decimal(0)), invoice.currency), "who": invoice.organisation.name}  # fmt: skip
    found = [_("%(sum)s was received on %(day)s.") % sums]
    found.append(_("%(rest)s stay due.") % sums if rest > 0 else _("The invoice is paid."))
    if over > 0:
        found.append(_("%(over)s stay in favour of %(who)s and pay its next invoice.") % sums)
    return [*found, _("A payment that was recorded by mistake can be taken back with a reason.")]


def reverse_view(site: admin.ModelAdmin, request: HttpRequest, pk: int, context: dict[str, Any]) -> HttpResponse:
    """The first POST shows the effect, the second (with ``confirm``) takes the payment back."""
    need(request, "billing.pay_invoice")
    invoice = get_object_or_404(Invoice.objects.select_related("organisation"), pk=pk)
    form = ReverseForm(invoice, sent(request), typed(request))
    effects: list[str] = []
    if form.is_bound and form.is_valid():
        payment, reason = form.cleaned_data["payment"], form.cleaned_data["reason"]
        if "confirm" in request.POST:
            return _reverse(site, request, payment, reason)
        effects = _of_reversal(invoice, payment)
    return page(request, invoice, form, context, effects, {
        "title": _("Take a payment back"), "button": _("Take the payment back"), "possible": form.possible,
        "again": [("payment", str(payment.pk)), ("reason", reason)] if effects else [],
        "sums": {_("Total"): invoice.total, _("Paid so far"): invoice.amount_paid, _("Due"): invoice.amount_due},
    })  # fmt: skip


def _reverse(site: admin.ModelAdmin, request: HttpRequest, payment: InvoicePayment, reason: str) -> HttpResponse:
    try:
        reverse_payment(actor=actor_of(request), payment=payment, reason=reason)
    except AppError as error:
        level = messages.INFO if error.http_status == ACCEPTED else messages.ERROR
        site.message_user(request, error.message, level)
    else:
        site.message_user(request, _("The payment is taken back."), messages.SUCCESS)
    return redirect(reverse("admin:billing_invoice_change", args=[payment.invoice_id]))


def _of_reversal(invoice: Invoice, payment: InvoicePayment) -> list[str]:
    held = min(payment.amount, in_balance(invoice))
    owed = min(payment.amount - held, invoice.amount_paid)
    sums = {"sum": money_text(payment.amount, payment.currency), "slip": payment.reference,
            "due": money_text(invoice.amount_due + owed, invoice.currency), "who": invoice.organisation.name,
            "held": money_text(payment.amount - owed, invoice.currency)}  # fmt: skip
    found = [_("%(sum)s (%(slip)s) counts as never received; its entry in the books is reversed.") % sums]
    if owed:
        found.append(_("%(due)s is due then, and the invoice is open.") % sums)
    if owed < payment.amount:
        found.append(_("%(held)s less is in favour of %(who)s.") % sums)
    return found
