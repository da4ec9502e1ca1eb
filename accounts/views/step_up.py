"""The page that asks who is there: for the code where there is a second factor, else for the password."""

from __future__ import annotations

import time

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.sign_in.factors import CodeForm, PasswordForm, check_code, check_password
from accounts.sign_in.second_factor import has_one
from accounts.sign_in.step_up import CONFIRMED
from audit.services import record
from core.context import actor_of


@sensitive_post_parameters("password", "code")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def step_up(request: HttpRequest) -> HttpResponse:
    user, actor = User.objects.get(pk=actor_of(request).name), actor_of(request)
    to, form = _target(request), _form(request, user)
    if form is not None and request.method == "POST" and form.is_valid():
        check = check_code if isinstance(form, CodeForm) else check_password
        locked = check(request, user, form, actor=actor)
        if locked is not None:
            return locked
        if not form.errors:
            request.session[CONFIRMED] = int(time.time())
            record(actor=actor, action="identity_confirmed", target=user.username, entity=user)
            return HttpResponseRedirect(to)
    context = {"form": form, "to": to, "sso": settings.OIDC_NAME if settings.OIDC_ENABLED else ""}
    return render(request, "accounts/step_up.html", context, status=400 if form and form.errors else 200)


def _form(request: HttpRequest, user: User) -> forms.Form | None:
    """None for whom only the identity provider knows: they sign in there once more."""
    data = request.POST if request.method == "POST" else None
    if has_one(user):
        return CodeForm(data)
    return PasswordForm(data) if user.has_usable_password() else None


def _target(request: HttpRequest) -> str:
    to = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(to, {request.get_host()}, require_https=request.is_secure())
    return to if safe else resolve_url(settings.LOGIN_REDIRECT_URL)
