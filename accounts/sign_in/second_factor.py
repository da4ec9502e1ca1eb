"""Who has to give a second factor or choose a password, and the guard that keeps a session to that page until then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts.models import SecondFactor
from core.api.problems import problem

DONE = "second_factor"  # in a session: when it was given, unix seconds
OPEN = ("/accounts/", "/i18n/", "/static/", "/healthz", "/readyz", "/metrics")


def is_required_of(user: Any) -> bool:
    """By ``MFA_REQUIRED_ROLES``, asked anew on each request: whoever becomes one of them is asked at once."""
    if not settings.MFA_REQUIRED_ROLES or not user.is_authenticated or not user.is_staff:
        return False
    if user.is_superuser and {"admin", "superuser"} & set(settings.MFA_REQUIRED_ROLES):
        return True
    groups = user.groups.values_list("name", flat=True)
    return any(name.lower().replace(" ", "-") in settings.MFA_REQUIRED_ROLES for name in groups)


def has_one(user: Any) -> bool:
    return SecondFactor.objects.filter(user=user).exists()


class SecondFactorMiddleware:
    """Without a role that needs one, and where it was given, this asks the database nothing but who it is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(OPEN) or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return self.get_response(request)
        if getattr(request.user, "must_change_password", False):
            words = _("Somebody else chose your password: change it first.")
            return _lead(request, "accounts:password_change", "password_change_required", words)
        if not settings.MFA_REQUIRED_ROLES or request.session.get(DONE):
            return self.get_response(request)
        if not is_required_of(request.user):
            return self.get_response(request)
        words = _("Your role needs a second factor: set it up or give it.")
        page = "accounts:second_factor" if has_one(request.user) else "accounts:second_factor_setup"
        return _lead(request, page, "second_factor_required", words)


def _lead(request: HttpRequest, page: str, code: str, words: str) -> HttpResponse:
    """Programs are told, people are led."""
    if request.path_info.startswith(("/api/", "/formula")):
        return problem(403, code, words)
    return redirect(page)
