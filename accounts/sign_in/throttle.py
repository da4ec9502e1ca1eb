"""Where django-axes asks us: may this password be checked, and what became of it."""

from __future__ import annotations

from typing import Any

from axes.handlers.base import AbstractAxesHandler, AxesBaseHandler
from axes.helpers import get_client_ip_address, get_client_username
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.models import AuthThrottle
from accounts.services import throttle
from accounts.services.throttle import Attempt
from audit.services import record
from core.context import SYSTEM, Actor

_MEMO = "_throttle_attempts"


class ThrottleHandler(AbstractAxesHandler, AxesBaseHandler):
    """axes decides when to ask and what to answer; ``auth_throttle`` keeps the counters, not axes' own tables."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        return not _attempt(request, credentials).allowed

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        return _attempt(request, credentials).number

    def user_login_failed(
        self, sender: object, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        if request is None:  # nothing that came over the network; axes refuses such calls itself
            return
        attempt = _attempt(request, credentials)
        if attempt.allowed:
            locked = throttle.record_failure(attempt=attempt)
        else:
            throttle.record_refusal(attempt=attempt)
            locked = True
        if locked:
            # AxesMiddleware turns these two into ``locked_response``.
            request.axes_locked_out = True  # type: ignore[attr-defined]
            request.axes_credentials = credentials  # type: ignore[attr-defined]

    def user_logged_in(self, sender: object, request: HttpRequest, user: Any, **kwargs: Any) -> None:
        attempt = request.__dict__.get(_MEMO, {}).get(throttle.fold(user.get_username()))
        throttle.record_success(username=user.get_username(), ip=get_client_ip_address(request), attempt=attempt)

    def user_logged_out(self, sender: object, request: HttpRequest, user: Any, **kwargs: Any) -> None:
        if user is not None:
            record(actor=Actor(user.get_username()), action="logout", target=user.get_username())

    def reset_attempts(
        self, *, ip_address: str | None = None, username: str | None = None, ip_or_username: bool = False
    ) -> int:
        """Behind ``manage.py axes_reset``, ``axes_reset_ip`` and ``axes_reset_username``."""
        rows = AuthThrottle.objects.all()
        if ip_address:
            rows = rows.filter(ip=throttle.network_of(ip_address))
        if username:
            rows = rows.filter(username=throttle.fold(username))
        return throttle.unlock(actor=SYSTEM, rows=rows)


def _attempt(request: HttpRequest, credentials: dict[str, Any] | None) -> Attempt:
    """The attempt this request makes under this name: counted on the first question, remembered for the others."""
    username = throttle.fold(get_client_username(request, credentials))
    memo: dict[str, Attempt] = request.__dict__.setdefault(_MEMO, {})
    if username not in memo:
        memo[username] = throttle.reserve(username=username, ip=get_client_ip_address(request))
    return memo[username]


def password_was_right(request: HttpRequest, username: str) -> None:
    """It is no guess and does not count; failures before it still do, for a second factor may be guessed at next."""
    attempt = request.__dict__.get(_MEMO, {}).get(throttle.fold(username))
    if attempt is not None:
        throttle.give_back(attempt=attempt)


def locked_response(
    request: HttpRequest, response: HttpResponse | None = None, credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """What axes calls; see ``locked_answer``."""
    return locked_answer(request, _attempt(request, credentials))


def locked_answer(request: HttpRequest, attempt: Attempt) -> HttpResponse:
    """429 with ``Retry-After`` in seconds. Says the same whether or not the name exists."""
    seconds = throttle.seconds_left(attempt=attempt)
    context = {"minutes": -(-seconds // 60), "slowed": bool(attempt.wait)}
    answer = render(request, "accounts/locked.html", context, status=429)
    answer["Retry-After"] = str(seconds)
    return answer
