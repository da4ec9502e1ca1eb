"""Reporting a bank transfer."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from core.context import actor_of
from core.errors import AppError
from payments.forms import TransferForm
from payments.models import Payment
from payments.payables import payable_of
from payments.selectors import own_payments
from payments.services.transfers import submit_transfer


@require_POST
@login_required
def report(request: HttpRequest, payment_id: int) -> HttpResponse:
    """Write down what the payer says; finance compares it with the bank."""
    payment = get_object_or_404(own_payments(request.user), pk=payment_id, provider="manual")
    form = TransferForm(request.POST, request.FILES, payment=payment)
    status = 400
    if form.is_valid():
        try:
            submit_transfer(actor=actor_of(request), payment=payment, report=form.report())
            messages.success(request, _("Thank you. Finance compares it with the bank; you need to do nothing more."))
            return redirect("payments:pay", payment.pk)
        except AppError as error:
            field = str(error.details.get("field", ""))
            form.add_error(field if field in form.fields else None, error.message)
            status = error.http_status
    return transfer_page(request, payment, form, status=status)


def transfer_page(request: HttpRequest, payment: Payment, form: TransferForm, *, status: int = 200) -> HttpResponse:
    """Where to transfer to, what was reported, and the form to report more."""
    bank = {"name": settings.ORG_BANK_NAME, "account": settings.ORG_BANK_ACCOUNT, "holder": settings.ORG_BANK_HOLDER}
    transfers = payment.transfers.order_by("id")
    context = {"payment": payment, "payable": payable_of(payment), "form": form, "transfers": transfers, "bank": bank}
    return render(request, "payments/transfer.html", context, status=status)
