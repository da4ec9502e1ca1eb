"""Sign in, sign out, change the password, choose the language."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils import translation
from django.utils.translation import gettext as _
from django.views import i18n
from django.views.decorators.http import require_POST

from accounts.forms.users import LoginForm
from accounts.models import User
from accounts.models.users import CHOSEN_BY_ITS_USER
from accounts.services import throttle
from accounts.sign_in.second_factor import has_one
from accounts.sign_in.sessions import END_THERE
from accounts.sign_in.throttle import locked_answer
from accounts.views.second_factors import ask_for_code
from audit.services import record
from core.context import actor_of, client_ip

READ_AND_SEND = ("get", "head", "post", "options")  # Django's form views would take PUT for POST


class LoginView(auth_views.LoginView):
    """Django's view: rotates the session key, follows a safe ``next`` only. The lockout sits in the back end."""

    http_method_names = READ_AND_SEND
    template_name = "accounts/login.html"
    authentication_form = LoginForm

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if has_one(user):
            return ask_for_code(self.request, user, self.get_success_url())
        response = super().form_valid(form)
        begin_session(self.request, response, user)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "sso": settings.OIDC_NAME if settings.OIDC_ENABLED else ""}


class LogoutView(auth_views.LogoutView):
    """Ends the session here and, where the identity provider began it and says how, there."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        leave = request.session.get(END_THERE, "")
        response = super().post(request, *args, **kwargs)
        response = HttpResponseRedirect(leave) if leave else response
        response["Clear-Site-Data"] = '"cache", "storage"'  # the cookie of the language may stay
        return response


class PasswordChangeView(auth_views.PasswordChangeView):
    """Keeps this session; every other session of the user ends, for it was opened with the old password.

    Guesses at the old password count like failed sign-ins: a stolen session must not be a way to learn it.
    """

    http_method_names = READ_AND_SEND
    template_name = "accounts/password_change.html"
    success_url = reverse_lazy("accounts:password_change")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        actor = actor_of(request)
        if not request.POST.get("old_password"):
            return super().post(request, *args, **kwargs)  # nothing that could be right
        attempt = throttle.reserve(username=actor.name, ip=client_ip(request))
        if not attempt.allowed:
            throttle.record_refusal(attempt=attempt, actor=actor)
            return locked_answer(request, attempt)
        form = self.get_form()
        if form.is_valid() or "old_password" not in form.errors:
            throttle.clear(username=actor.name, ip=client_ip(request))
        elif throttle.record_failure(attempt=attempt, actor=actor, action="password_refused"):
            return locked_answer(request, attempt)
        return self.form_valid(form) if form.is_valid() else self.form_invalid(form)

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            response = super().form_valid(form)
            User.objects.filter(pk=form.user.pk).update(**CHOSEN_BY_ITS_USER)
            actor = actor_of(self.request)
            record(actor=actor, action="password_change", target=actor.name, entity=form.user)
        messages.success(self.request, _("Your password is changed. Other sessions of yours have ended."))
        return response


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Django's language switch (safe ``next``, cookie); a signed-in user finds the choice again at the next sign-in."""
    response = i18n.set_language(request)
    language = request.POST.get("language", "")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=language)
    return response


def to_login(request: HttpRequest) -> HttpResponse:
    """The console's own sign-in page leads to ours, so there is one door with one guard."""
    query = request.META.get("QUERY_STRING", "")
    return redirect(f"{reverse_lazy('accounts:login')}{'?' + query if query else ''}")


def begin_session(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """What every way of signing in does at its end: the user's language."""
    if user.language in dict(settings.LANGUAGES):
        translation.activate(user.language)
        _remember(response, user.language)


def _remember(response: HttpResponse, language: str) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )
