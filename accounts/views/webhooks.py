"""Webhook addresses of mine and of my organisations: what was sent there, and what came back."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.forms.organisations import refuse
from accounts.forms.webhooks import EndpointForm, NewEndpointForm
from accounts.models import DeliveryStatus, WebhookEndpoint
from accounts.services.webhook_sending import MOST_FAILURES
from accounts.services.webhooks import (
    change_endpoint,
    create_endpoint,
    kinds_of,
    replay,
    rotate_secret,
    switch_off,
    switch_on,
)
from accounts.sign_in.step_up import ask_again
from accounts.webhook_reach import find_delivery, find_endpoint, own_endpoints, own_organisations
from core.context import actor_of
from core.errors import AppError

MESSAGES_A_PAGE = 25
form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    rows = own_endpoints(request.user).order_by("-is_active", "-id")
    return render(request, "webhooks/index.html", {"endpoints": rows, "most_failures": MOST_FAILURES})


@form_page
@login_required
@never_cache
def new(request: HttpRequest) -> HttpResponse:
    """After it is made, the answer itself shows the secret: no address shows it a second time."""
    if (question := ask_again(request)) is not None:
        return question
    form = NewEndpointForm(request.POST or None, organisations=list(own_organisations(request.user)))
    if request.method == "POST" and form.is_valid():
        organisation, actor = form.organisation, actor_of(request)
        owner = {"organisation": organisation} if organisation else {"user": request.user}
        try:
            made = create_endpoint(
                actor=actor, url=form.cleaned_data["url"], description=form.cleaned_data["description"],
                kinds=form.cleaned_data["kinds"], **owner,
            )  # fmt: skip
        except AppError as error:
            refuse(form, error)
        else:
            return _secret(request, made, made.signing_secret)
    return render(request, "webhooks/new.html", {"form": form}, status=400 if form.errors else 200)


def _secret(request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
    return render(request, "webhooks/secret.html", {"endpoint": endpoint, "secret": secret})


@form_page
@login_required
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    endpoint = find_endpoint(request.user, uuid)
    if request.method == "POST" and (question := ask_again(request)) is not None:
        return question
    stands = {"url": endpoint.url, "description": endpoint.description, "kinds": kinds_of(endpoint)}
    form = EndpointForm(request.POST or None, initial=stands)
    if request.method == "POST" and form.is_valid():
        try:
            change_endpoint(actor=actor_of(request), endpoint=endpoint, **form.cleaned_data)
        except AppError as error:
            refuse(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("webhooks:detail", uuid)
    page = Paginator(endpoint.deliveries.defer("body"), MESSAGES_A_PAGE).get_page(request.GET.get("page"))
    context = {"endpoint": endpoint, "form": form, "page": page, "given_up": endpoint.failures >= MOST_FAILURES}
    return render(request, "webhooks/detail.html", context, status=400 if form.errors else 200)


@require_POST
@login_required
@never_cache
def rotate(request: HttpRequest, uuid: UUID) -> HttpResponse:
    endpoint = find_endpoint(request.user, uuid)
    if (question := ask_again(request, reverse("webhooks:detail", args=[uuid]))) is not None:
        return question
    return _secret(request, endpoint, rotate_secret(actor=actor_of(request), endpoint=endpoint))


@require_POST
@login_required
def switch(request: HttpRequest, uuid: UUID) -> HttpResponse:
    endpoint = find_endpoint(request.user, uuid)
    try:
        if request.POST.get("on") == "1":
            switch_on(actor=actor_of(request), endpoint=endpoint)
            messages.success(request, _("The address is switched on."))
        else:
            switch_off(actor=actor_of(request), endpoint=endpoint)
            messages.success(request, _("The address is switched off; what waited is given up."))
    except AppError as error:
        messages.error(request, error.message)
    return redirect("webhooks:detail", uuid)


@require_safe
@login_required
def message(request: HttpRequest, uuid: UUID, pk: int) -> HttpResponse:
    endpoint = find_endpoint(request.user, uuid)
    row = find_delivery(endpoint, pk)
    may_send = row.status != DeliveryStatus.PENDING or row.next_attempt_at > timezone.now()
    context = {"endpoint": endpoint, "message": row, "tries": row.log.all(), "may_send": may_send}
    return render(request, "webhooks/message.html", context)


@require_POST
@login_required
def again(request: HttpRequest, uuid: UUID, pk: int) -> HttpResponse:
    row = find_delivery(find_endpoint(request.user, uuid), pk)
    try:
        moved = replay(actor=actor_of(request), delivery=row)
    except AppError as error:
        messages.error(request, error.message)
    else:
        words = _("It is sent again within a minute, with the same id.") if moved else _("It waits to be sent already.")
        messages.success(request, words)
    return redirect("webhooks:message", uuid, pk)
