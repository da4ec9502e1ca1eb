"""Paying on the web: start, the dummy's checkout page, the page after, and the webhook."""

from __future__ import annotations

import logging
import time
import uuid

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing.models import Receipt
from core.context import actor_of
from core.errors import AppError, Misconfigured, Unavailable
from payments.models import Payment
from payments.providers.dummy.provider import signed_event
from payments.services.checkout import start_payment
from payments.services.webhooks import receive

logger = logging.getLogger("payments.views")
WEBHOOK_BODY_MAX_BYTES = 256 * 1024
_EVENTS = {"succeed": "payment.succeeded", "fail": "payment.failed", "cancel": "payment.canceled"}


def _own_receipt(request: HttpRequest, receipt_id: object) -> Receipt:
    """Somebody else's receipt is as absent as one that never was."""
    text = str(receipt_id or "")
    if not text.isascii() or not text.isdigit():
        raise Http404
    return get_object_or_404(Receipt, pk=int(text), user=request.user)


@require_POST
@login_required
def start(request: HttpRequest, receipt_id: int) -> HttpResponse:
    receipt = _own_receipt(request, receipt_id)
    try:
        payment = start_payment(actor=actor_of(request), receipt=receipt)
    except (Unavailable, Misconfigured) as error:
        logger.warning("checkout of receipt %s: %s", receipt.pk, error.message)
        message = _("The payment service does not answer. Nothing was charged; please try again later.")
        return render(
            request, "payments/unavailable.html", {"message": message, "receipt": receipt, "retry": True}, status=503
        )
    except AppError as error:
        context = {"message": error.message, "receipt": receipt, "retry": False}
        return render(request, "payments/unavailable.html", context, status=error.http_status)
    return redirect(payment.checkout_url)


@require_GET
@login_required
def thanks(request: HttpRequest) -> HttpResponse:
    """Where the payer lands. Landing here proves nothing: the page says what is recorded now."""
    receipt = _own_receipt(request, request.GET.get("rid"))
    payment = receipt.payments.order_by("-id").first()
    return render(request, "payments/thanks.html", {"receipt": receipt, "payment": payment})


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
