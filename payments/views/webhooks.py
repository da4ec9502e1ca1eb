"""What providers call."""

from __future__ import annotations

import logging

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from core.errors import Misconfigured
from payments.services.webhooks import receive

logger = logging.getLogger(__name__)
WEBHOOK_BODY_MAX_BYTES = 256 * 1024


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
        if name in settings.PAYMENT_PROVIDER_NAMES:
            logger.error("no message of %s can be taken: %s", name, error)
        raise Http404 from error
    return JsonResponse({"status": received.outcome}, status=received.http_status)
