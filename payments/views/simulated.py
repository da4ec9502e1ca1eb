"""The hosted page of the dummy provider."""

from __future__ import annotations

import time
import uuid

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from payments.payables import payable_of
from payments.providers.dummy.provider import signed_event
from payments.selectors import own_payments
from payments.services.webhooks import receive

_EVENTS = {"succeed": "payment.succeeded", "fail": "payment.failed", "cancel": "payment.canceled"}


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
    payment = get_object_or_404(own_payments(request.user), provider="dummy", external_payment_id=external_id)
    outcome = request.POST.get("outcome", "")
    if request.method == "POST" and outcome in _EVENTS:
        body, headers = signed_event(
            payment, _EVENTS[outcome], event_id=f"evt_{uuid.uuid4().hex}", timestamp=int(time.time())
        )
        receive(provider_name="dummy", body=body, headers=headers)
        return redirect(payable_of(payment).page_after)
    return render(request, "payments/simulate.html", {"payment": payment, "payable": payable_of(payment)})
