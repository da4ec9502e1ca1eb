"""Django's database sessions, which also write down whose they are (``SESSION_ENGINE``), and when they end."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.http import HttpRequest, HttpResponse

from core import context

END_THERE = "end_session_at"  # address at the identity provider that ends the session there, too
SINCE = "signed_in"  # unix seconds, put into the session at sign-in
SEEN = "seen"  # unix seconds; written so seldom that most requests write nothing
STEPS = 20  # an idle end is late by one of these at most


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> Any:
        from accounts.models import Session

        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        request = context.current()
        row.user_id = data.get(SESSION_KEY)
        row.ip, row.user_agent = request.ip, request.user_agent[:200]
        if isinstance(seconds := data.get(SINCE), int | float):
            row.since = datetime.fromtimestamp(seconds, UTC)
        return row


def note_sign_in(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    """Receiver of ``user_logged_in``: every way of signing in begins the session's time."""
    request.session[SINCE] = int(time.time())


class SessionLimitsMiddleware:
    """A session ends when nobody used it for ``SESSION_IDLE_SEC``, which is what its row in the database says, and in
    any case ``SESSION_MAX_SEC`` after it began."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and not request.path_info.startswith("/static/"):
            _go_on(request)
        return self.get_response(request)


def _go_on(request: HttpRequest) -> None:
    session, now = request.session, int(time.time())
    if SESSION_KEY not in session:
        return
    since = session.setdefault(SINCE, now)  # of a version that did not write it down
    if now - since >= settings.SESSION_MAX_SEC:
        logout(request)
    elif now - session.get(SEEN, since) >= settings.SESSION_IDLE_SEC / STEPS:
        session[SEEN] = now  # saving it moves its end
