"""Giving the second factor at sign-in, and looking after it."""

from __future__ import annotations

import time
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms.organisations import refuse
from accounts.models import RecoveryCode, User
from accounts.services import second_factors
from accounts.sign_in.factors import CodeForm, PasswordForm, check_code, check_password
from accounts.sign_in.qr_svg import qr_svg
from accounts.sign_in.second_factor import DONE, has_one, is_required_of
from accounts.sign_in.sessions import SINCE
from accounts.sign_in.step_up import ask_again
from accounts.sign_in.throttle import password_was_right
from core import sealing
from core.context import Actor, actor_of
from core.errors import AppError

PENDING = "second_factor_of"  # in a session: who gave the right password, when, and where they go
SECRET = "second_factor_secret"  # noqa: S105 - a name; while it is being set up, before any user has it
LASTS = 600  # seconds between password and code


class SetUpForm(PasswordForm):
    """The password again, so that an open session is not enough to put one's own app on somebody's account."""

    code = forms.CharField(
        label=gettext_lazy("Code that the app shows"), max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )  # fmt: skip

    def __init__(self, data: Any, *, user: User) -> None:
        super().__init__(data)
        if not user.has_usable_password():  # signed in by the identity provider alone, and lately
            del self.fields["password"]


def ask_for_code(request: HttpRequest, user: User, to: str) -> HttpResponse:
    """The password was right: remember that, sign in nobody yet, and ask. The session key changes here, too."""
    password_was_right(request, user.username)
    request.session.flush()
    request.session[PENDING] = {
        "username": user.username,
        "at": int(time.time()),
        "to": to,
        "by": getattr(user, "backend", ""),
        "password": user.get_session_auth_hash(),
    }
    return redirect("accounts:second_factor")


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def challenge(request: HttpRequest) -> HttpResponse:
    user, to = _who(request)
    if user is None:
        return redirect("accounts:login")
    form = CodeForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        locked = check_code(request, user, form, actor=Actor(user.username))
        if locked is not None:
            return locked
        if not form.errors:
            return _signed_in(request, user, to)
    return render(request, "accounts/second_factor.html", {"form": form}, status=400 if form.errors else 200)


def _who(request: HttpRequest) -> tuple[User | None, str]:
    """Who is between password and code here; or a session that began before its user had a second factor."""
    if request.user.is_authenticated:  # somebody else's password was given first: that is over
        request.session.pop(PENDING, None)
    pending = request.session.get(PENDING)
    if pending:
        user = User.objects.filter(pk=pending["username"], is_active=True).first()
        if user is None or time.time() - pending["at"] > LASTS or not _same_password(user, pending):
            request.session.flush()
            return None, ""
        return user, pending["to"]
    if request.user.is_authenticated and not request.session.get(DONE) and has_one(request.user):
        return User.objects.get(pk=request.user.pk), resolve_url(settings.LOGIN_REDIRECT_URL)
    return None, ""


def _same_password(user: User, pending: dict[str, Any]) -> bool:
    """What was begun with the password of before ends with it, as sessions do."""
    return constant_time_compare(str(pending.get("password", "")), user.get_session_auth_hash())


def _signed_in(request: HttpRequest, user: User, to: str) -> HttpResponse:
    from accounts.views.signing_in import begin_session

    pending = request.session.pop(PENDING, {})
    if not request.user.is_authenticated:
        login(request, user, backend=pending.get("by") or settings.AUTHENTICATION_BACKENDS[-1])
    else:
        request.session.cycle_key()
        request.session[SINCE] = int(time.time())
    request.session[DONE] = int(time.time())
    response = HttpResponseRedirect(to)
    begin_session(request, response, user)
    return response


@sensitive_post_parameters("password", "code")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def set_up(request: HttpRequest) -> HttpResponse:
    """The QR code and, once a code of the app was right, the recovery codes."""
    user = User.objects.get(pk=actor_of(request).name)
    if has_one(user):
        return _state(request, user)
    if not user.has_usable_password() and (elsewhere := ask_again(request)):
        return elsewhere
    secret = _proposed(request)
    form = SetUpForm(request.POST if request.method == "POST" else None, user=user)
    if request.method == "POST" and form.is_valid():
        locked = check_password(request, user, form, actor=actor_of(request))
        if locked is not None:
            return locked
        if not form.errors:
            try:
                codes = second_factors.set_up(
                    actor=actor_of(request), user=user, secret=secret, code=form.cleaned_data["code"],
                    keep=str(request.session.session_key),
                )  # fmt: skip
            except AppError as error:
                refuse(form, error)
            else:
                return _codes(request, codes)
    address = second_factors.address_of(secret, user.username)
    picture = qr_svg(address, _("QR code for the authenticator app"))
    context = {"form": form, "picture": picture, "secret": secret, "required": is_required_of(user)}
    return render(request, "accounts/second_factor_setup.html", context, status=400 if form.errors else 200)


def _proposed(request: HttpRequest) -> str:
    """The same until it was taken, so that a page that is shown again fits what the app has read; another one where the
    site's key was changed meanwhile."""
    try:
        if kept := request.session.get(SECRET):
            return sealing.opened(kept)
    except sealing.Sealed:
        pass
    secret = second_factors.new_secret()
    request.session[SECRET] = sealing.seal(secret)
    return secret


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """Shown in this answer and never again; whoever sets it up has thereby given it."""
    request.session.pop(SECRET, None)
    request.session.cycle_key()
    request.session[DONE] = int(time.time())
    return render(request, "accounts/recovery_codes.html", {"codes": codes})


def _state(request: HttpRequest, user: User, form: forms.Form | None = None, status: int = 200) -> HttpResponse:
    left = RecoveryCode.objects.filter(user=user, used_at__isnull=True).count()
    context = {"form": form or CodeForm(), "left": left, "required": is_required_of(user)}
    return render(request, "accounts/second_factor_state.html", context, status=status)


@sensitive_post_parameters("code")
@never_cache
@require_POST
@login_required
def change(request: HttpRequest) -> HttpResponse:
    """New recovery codes, or no second factor any more; both cost a code."""
    user = User.objects.get(pk=actor_of(request).name)
    if not has_one(user):
        return redirect("accounts:second_factor_setup")
    form = CodeForm(request.POST)
    removing = request.POST.get("act") == "remove"
    if removing and is_required_of(user):
        messages.error(request, _("Your role needs a second factor; it cannot be removed."))
        return redirect("accounts:second_factor_setup")
    if form.is_valid() and (locked := check_code(request, user, form, actor=actor_of(request))) is not None:
        return locked
    if form.errors:
        return _state(request, user, form, 400)
    if not removing:
        return _codes(request, second_factors.renew_codes(actor=actor_of(request), user=user))
    second_factors.remove(actor=actor_of(request), user=user, keep=str(request.session.session_key))
    request.session.pop(DONE, None)
    messages.success(request, _("The second factor is removed."))
    return redirect("profile")
