"""Paying on the web: choose a way, go there, come back."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from accounts.membership import BILLING, memberships
from billing.models import Invoice, Receipt
from core.context import actor_of
from core.errors import AppError, BadInput, Misconfigured, Unavailable
from payments import providers
from payments.forms import TransferForm, read_amount
from payments.models import OPEN_STATUSES, Payment, PaymentStatus
from payments.payables import InvoicePayable, Payable, ReceiptPayable, payable_of
from payments.providers.errors import AmountNotAccepted, WebhookRejected
from payments.selectors import own_payments, part_paid, ways_to_pay
from payments.services.checkout import StillAsking, start_payment
from payments.services.sync import sync_payment
from payments.services.transfers import PROVIDER
from payments.views.transfers import transfer_page

logger = logging.getLogger(__name__)
LOOK_AGAIN = timedelta(seconds=3)  # a page that looks by itself asks the provider no more often
LONGEST_ID = 18  # digits of a number that a database can look for


def _own_receipt(request: HttpRequest, receipt_id: object) -> Receipt:
    """Somebody else's receipt is as absent as one that never was."""
    text = str(receipt_id or "")
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_ID:
        raise Http404
    return get_object_or_404(Receipt, pk=int(text), user=request.user)


def _own_invoice(request: HttpRequest, uuid: object) -> Invoice:
    """Of an organisation whose bills the reader looks after; staff pay nobody's."""
    try:
        key = UUID(str(uuid or ""))
    except ValueError as error:
        raise Http404 from error
    organisations = memberships(request.user, BILLING).values("organisation")
    rows = Invoice.objects.select_related("organisation").filter(invoice_number__isnull=False)
    return get_object_or_404(rows, uuid=key, organisation__in=organisations)


@require_POST
@login_required
def start(request: HttpRequest, receipt_id: int) -> HttpResponse:
    """Begin (or take up again) one way to pay, then show the payer where it goes on."""
    return _start(request, ReceiptPayable(_own_receipt(request, receipt_id)), None)


@require_POST
@login_required
def start_invoice(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The same for an invoice, all of what is due or the part that was typed."""
    target = InvoicePayable(_own_invoice(request, uuid))
    text = request.POST.get("amount", "").strip()
    try:
        amount = read_amount(text, target.currency) if text else None
    except BadInput as error:
        return _unavailable(request, target, error.message, status=400)
    return _start(request, target, amount)


def _start(request: HttpRequest, target: Payable, amount: Decimal | None) -> HttpResponse:
    provider, _dot, method = request.POST.get("way", "").partition(".")
    try:
        payment = start_payment(
            actor=actor_of(request), **target.fields, amount=amount, provider_name=provider, method_name=method
        )
    except (Unavailable, Misconfigured) as error:
        logger.warning("checkout of %s %s: %s", target.kind, target.document.pk, error.message)
        message = _("The payment service does not answer. Nothing was charged; please try again later.")
        return _unavailable(request, target, message, status=503, retry=True)
    except StillAsking as error:
        return _unavailable(request, target, error.message, status=error.http_status, retry=True)
    except AppError as error:
        others = isinstance(error, AmountNotAccepted)
        return _unavailable(request, target, error.message, status=error.http_status, others=others)
    if payment.status not in OPEN_STATUSES:
        return redirect(target.page_after)
    return redirect("payments:pay", payment.pk)


def _unavailable(
    request: HttpRequest, target: Payable, message: str, *, status: int, retry: bool = False, others: bool = False
) -> HttpResponse:
    ways = [way for way in ways_to_pay(target.document) if not way.trouble] if others else []
    context = {"message": message, "payable": target, "retry": retry, "ways": ways}
    return render(request, "payments/unavailable.html", context, status=status)


@require_GET
@login_required
def pay(request: HttpRequest, payment_id: int) -> HttpResponse:
    """Where an open attempt goes on: the provider's page, a QR code, or the account to transfer to."""
    payment = _looked_up(get_object_or_404(own_payments(request.user), pk=payment_id))
    target = payable_of(payment)
    if payment.status not in OPEN_STATUSES and part_paid(target.document) != payment:
        return redirect(target.page_after)
    if not target.waits:
        return redirect(target.page_after)
    if payment.provider == PROVIDER:
        return transfer_page(request, payment, TransferForm(payment=payment))
    context: dict[str, Any] = {"payment": payment, "payable": target}
    if payment.qr_svg:
        return render(request, "payments/qr.html", context)
    if not payment.checkout_url:
        message = _("The payment service has not answered yet. Please try again in a minute.")
        return _unavailable(request, target, message, status=503, retry=True)
    # A form may post to the provider's own page, and to nothing else.
    address = urlsplit(payment.checkout_url)
    try:
        provider = providers.provider(payment.provider)
        method = next((each for each in provider.methods() if each.name == payment.method), None)
    except Misconfigured:
        return _unavailable(
            request, target, _("This way to pay is switched off; please choose another."), status=503
        )  # fmt: skip
    context |= {"provider_label": provider.label, "comes_back": method is None or method.comes_back}
    response = render(request, "payments/leave.html", context)
    response._csp_update = {"form-action": [f"{address.scheme}://{address.netloc}"]}  # type: ignore[attr-defined]
    return response


def _looked_up(payment: Payment) -> Payment:
    """As the provider has it now, asked at most every few seconds; when it does not answer, as we have it."""
    asked_lately = payment.checked_at and timezone.now() - payment.checked_at < LOOK_AGAIN
    if payment.status not in (*OPEN_STATUSES, PaymentStatus.FAILED) or asked_lately or not payment.asked_at:
        return payment
    try:
        return sync_payment(payment).payment
    except AppError as error:
        logger.warning("payment %s cannot be looked up: %s", payment.pk, error.message)
    return payment


@require_GET
@login_required
def qr(request: HttpRequest, payment_id: int) -> HttpResponse:
    """The QR code as a picture of its own, which may do nothing but be seen."""
    payment = get_object_or_404(own_payments(request.user), pk=payment_id)
    if not payment.qr_svg:
        raise Http404
    response = HttpResponse(payment.qr_svg, content_type="image/svg+xml")
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response


@require_GET
@login_required
def thanks(request: HttpRequest) -> HttpResponse:
    """Where the payer lands. Landing here proves nothing: the page says what the provider says now."""
    of_invoice = "invoice" in request.GET
    target: Payable = (
        InvoicePayable(_own_invoice(request, request.GET["invoice"]))
        if of_invoice
        else ReceiptPayable(_own_receipt(request, request.GET.get("rid")))
    )
    payment = target.payments().order_by("-id").first()
    if payment is not None and target.waits:
        payment = _looked_up(payment)
        target.refresh()
    context = {"payable": target, "payment": payment}
    return render(request, "payments/thanks.html", context)


@csrf_exempt  # the provider's page posts the payer's browser back here; what it brings is checked, and moves nothing
@require_POST
def returned(request: HttpRequest, provider_name: str) -> HttpResponse:
    """The payer comes back with something signed: read the record, then show the page that says what is true."""
    if provider_name not in settings.PAYMENT_PROVIDERS:
        raise Http404
    try:
        external_id = providers.provider(provider_name).read_return(request.POST.dict())
        if not external_id or not external_id.isprintable():
            raise WebhookRejected("the id is not printable")
    except Misconfigured as error:
        raise Http404 from error
    except WebhookRejected as error:
        logger.warning("return from %s rejected: %s", provider_name, error.message)
        return render(request, "400.html", status=400)
    payment = Payment.objects.filter(provider=provider_name, external_payment_id=external_id).first()
    if payment is None:
        raise Http404
    _looked_up(payment)
    return redirect(payable_of(payment).page_after)
