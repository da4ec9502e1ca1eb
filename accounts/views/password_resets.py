"""The two pages of a forgotten password."""

from __future__ import annotations

from time import monotonic, sleep

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.services import password_resets
from accounts.services.throttle import network_of
from core.api.throttle import busy_page, seconds_to_wait
from core.context import actor_of, client_ip

MOST_A_MINUTE = 10  # questions from one network
LEAST_SECONDS = 0.3  # more than a link takes: no clock tells whether one was sent


class ForgottenForm(forms.Form):
    username = forms.CharField(
        label=gettext_lazy("User name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "username"})
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def forgotten(request: HttpRequest) -> HttpResponse:
    """Asks for the name. What it says after that is the same for every name, and takes as long."""
    begun = monotonic()
    form = ForgottenForm(request.POST if request.method == "POST" else None)
    sent = False
    if form.is_bound:
        seconds = seconds_to_wait("forgotten", network_of(client_ip(request)), most=MOST_A_MINUTE)
        if seconds:
            return busy_page(request, _("Too many questions from here. Go on in a minute."), seconds)
        if sent := form.is_valid():
            password_resets.ask_reset(actor=actor_of(request), username=form.cleaned_data["username"])
            sleep(max(0.0, LEAST_SECONDS - (monotonic() - begun)))
    context = {"form": form, "sent": sent, "sso": settings.OIDC_NAME if settings.OIDC_ENABLED else ""}
    return render(request, "accounts/password_forgotten.html", context, status=400 if form.errors else 200)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def reset(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Sets a new password. Nobody is signed in by it: a second factor is still to be asked for."""
    user = password_resets.find(uid, token)
    if user is None:
        return render(request, "accounts/password_reset.html", {"form": None}, status=404)
    form = SetPasswordForm(user, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        if not password_resets.reset(form=form, token=token, ip=client_ip(request)):
            return render(request, "accounts/password_reset.html", {"form": None}, status=404)
        messages.success(request, _("Your password is changed. Sign in with it; all sessions of yours have ended."))
        return redirect("accounts:login")
    context = {"form": form, "name": user.username}
    return render(request, "accounts/password_reset.html", context, status=400 if form.errors else 200)
