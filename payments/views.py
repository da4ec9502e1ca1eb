"""Paying on the web: choose a way, go there, come back; and the provider's own calls."""

from __future__ import annotations

import logging
import time
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing.models import Receipt, ReceiptStatus
from core.context import actor_of
from core.errors import AppError, Misconfigured, Unavailable
from payments import providers
from payments.forms import TransferForm
from payments.models import OPEN_STATUSES, Payment, PaymentStatus
from payments.providers.dummy.provider import signed_event
from payments.providers.errors import AmountNotAccepted, WebhookRejected
from payments.selectors import part_paid, ways_to_pay
from payments.services.checkout import StillAsking, start_payment
from payments.services.sync import sync_payment
from payments.services.transfers import PROVIDER
from payments.services.webhooks import receive
from payments.transfer_views import transfer_page

logger = logging.getLogger("payments.views")
WEBHOOK_BODY_MAX_BYTES = 256 * 1024
LOOK_AGAIN = timedelta(seconds=3)  # a page that looks by itself asks the provider no more often
LONGEST_ID = 18  # digits of a number that a database can look for
_EVENTS = {"succeed": "payment.succeeded", "fail": "payment.failed", "cancel": "payment.canceled"}


def _own_receipt(request: HttpRequest, receipt_id: object) -> Receipt:
    """Somebody else's receipt is as absent as one that never was."""
    text = str(receipt_id or "")
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_ID:
        raise Http404
    return get_object_or_404(Receipt, pk=int(text), user=request.user)


@require_POST
@login_required
def start(request: HttpRequest, receipt_id: int) -> HttpResponse:
    """Begin (or take up again) one way to pay, then show the payer where it goes on."""
    receipt = _own_receipt(request, receipt_id)
    provider, _dot, method = request.POST.get("way", "").partition(".")
    try:
        payment = start_payment(actor=actor_of(request), receipt=receipt, provider_name=provider, method_name=method)
    except (Unavailable, Misconfigured) as error:
        logger.warning("checkout of receipt %s: %s", receipt.pk, error.message)
        message = _("The payment service does not answer. Nothing was charged; please try again later.")
        return _unavailable(request, receipt, message, status=503, retry=True)
    except StillAsking as error:
        return _unavailable(request, receipt, error.message, status=error.http_status, retry=True)
    except AppError as error:
        others = isinstance(error, AmountNotAccepted)
        return _unavailable(request, receipt, error.message, status=error.http_status, others=others)
    if payment.status not in OPEN_STATUSES:
        return redirect(f"{reverse('payments:thanks')}?rid={receipt.pk}")
    return redirect("payments:pay", payment.pk)


def _unavailable(
    request: HttpRequest, receipt: Receipt, message: str, *, status: int, retry: bool = False, others: bool = False
) -> HttpResponse:
    ways = [way for way in ways_to_pay(receipt) if not way.trouble] if others else []
    context = {"message": message, "receipt": receipt, "retry": retry, "ways": ways}
    return render(request, "payments/unavailable.html", context, status=status)


@require_GET
@login_required
def pay(request: HttpRequest, payment_id: int) -> HttpResponse:
    """Where an open attempt goes on: the provider's page, a QR code, or the account to transfer to."""
    payment = get_object_or_404(Payment.objects.select_related("receipt"), pk=payment_id, user=request.user)
    payment = _looked_up(payment)
    if payment.status not in OPEN_STATUSES and part_paid(payment.receipt) != payment:
        return redirect(f"{reverse('payments:thanks')}?rid={payment.receipt_id}")
    if payment.receipt.status != ReceiptStatus.PENDING:
        return redirect(f"{reverse('payments:thanks')}?rid={payment.receipt_id}")
    if payment.provider == PROVIDER:
        return transfer_page(request, payment, TransferForm(payment=payment))
    context: dict[str, Any] = {"payment": payment, "receipt": payment.receipt}
    if payment.qr_svg:
        return render(request, "payments/qr.html", context)
    if not payment.checkout_url:
        message = _("The payment service has not answered yet. Please try again in a minute.")
        return _unavailable(request, payment.receipt, message, status=503, retry=True)
    # A form may post to the provider's own page, and to nothing else.
    address = urlsplit(payment.checkout_url)
    try:
        provider = providers.provider(payment.provider)
        method = next((each for each in provider.methods() if each.name == payment.method), None)
    except Misconfigured:
        return _unavailable(
            request, payment.receipt, _("This way to pay is switched off; please choose another."), status=503
        )
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
    payment = get_object_or_404(Payment, pk=payment_id, user=request.user)
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
    receipt = _own_receipt(request, request.GET.get("rid"))
    payment = receipt.payments.order_by("-id").first()
    if payment is not None and receipt.status == "pending":
        payment = _looked_up(payment)
        receipt.refresh_from_db()
    context = {"receipt": receipt, "payment": payment}
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
    return redirect(f"{reverse('payments:thanks')}?rid={payment.receipt_id}")


def simulate(request: HttpRequest) -> HttpResponse:
    """The dummy provider's hosted checkout; in production there is no such page, for anybody."""
    if not settings.DUMMY_PROVIDER_ALLOWED:
        raise Http404
    return _simulate(request)


@require_http_methods(["GET", "POST"])
@login_required
def _simulate(request: HttpRequest) -> HttpResponse:
    """Show what is asked for; the chosen outcome comes back as a signed webhook, as from a real provider."""
    external_id = (request.POST if request.method == "POST" else request.GET).get("payment", "")
    payment = get_object_or_404(Payment, provider="dummy", external_payment_id=external_id, user=request.user)
    outcome = request.POST.get("outcome", "")
    if request.method == "POST" and outcome in _EVENTS:
        body, headers = signed_event(
            payment, _EVENTS[outcome], event_id=f"evt_{uuid.uuid4().hex}", timestamp=int(time.time())
        )
        receive(provider_name="dummy", body=body, headers=headers)
        return redirect(f"{reverse('payments:thanks')}?rid={payment.receipt_id}")
    return render(request, "payments/simulate.html", {"payment": payment, "receipt": payment.receipt})


@csrf_exempt  # providers have no session with us; the signature is the proof
@require_POST
def webhook(request: HttpRequest, provider_name: str = "") -> HttpResponse:
    name = provider_name or settings.PAYMENT_PROVIDER
    if name not in settings.PAYMENT_PROVIDERS:
        raise Http404
    body = request.read(WEBHOOK_BODY_MAX_BYTES + 1)
    if len(body) > WEBHOOK_BODY_MAX_BYTES:
        return JsonResponse({"status": "too large"}, status=413)
    try:
        received = receive(provider_name=name, body=body, headers=request.headers)
    except Misconfigured as error:
        raise Http404 from error
    return JsonResponse({"status": received.outcome}, status=received.http_status)
