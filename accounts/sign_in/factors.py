"""Asking for a password or a code where somebody is known already; each wrong one counts like a failed sign-in."""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.services import second_factors, throttle
from accounts.sign_in.throttle import locked_answer
from core.context import Actor, client_ip
from core.errors import AppError


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"), max_length=40, strip=True,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autocapitalize": "none"}),
        help_text=gettext_lazy("Six digits from your authenticator app, or one of your recovery codes."),
    )  # fmt: skip


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("Your password"), strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip


def check_password(request: HttpRequest, user: User, form: forms.Form, *, actor: Actor) -> HttpResponse | None:
    """An answer where guessing is paused; a wrong password stands in the form's errors. A form that does not ask for
    one has a user who has none."""
    if "password" not in form.fields:
        return None

    def is_right() -> bool:
        return user.check_password(form.cleaned_data["password"])

    return _check(request, user, actor, is_right, form, "password")


def check_code(request: HttpRequest, user: User, form: forms.Form, *, actor: Actor) -> HttpResponse | None:
    """The same of the second factor."""

    def is_right() -> bool:
        return second_factors.check(actor=actor, user=user, code=form.cleaned_data["code"])

    return _check(request, user, actor, is_right, form, "code")


def _check(
    request: HttpRequest, user: User, actor: Actor, is_right: Callable[[], bool], form: forms.Form, name: str
) -> HttpResponse | None:
    attempt = throttle.reserve(username=user.username, ip=client_ip(request))
    if not attempt.allowed:
        throttle.record_refusal(attempt=attempt, actor=actor)
        return locked_answer(request, attempt)
    try:
        right = is_right()
    except AppError as error:
        form.add_error(name, error.message)
        return None
    if right:
        throttle.clear(username=user.username, ip=client_ip(request))
        return None
    action = "password_refused" if name == "password" else "second_factor_refused"
    if throttle.record_failure(attempt=attempt, actor=actor, action=action):
        return locked_answer(request, attempt)
    words = _("The password is not right.") if name == "password" else _("That code is not right, or was used before.")
    form.add_error(name, words)
    return None
