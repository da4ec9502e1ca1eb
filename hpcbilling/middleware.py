"""Request id, audit context and one log line a request."""

from __future__ import annotations

import codecs
import logging
import re
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.middleware.common import CommonMiddleware
from django.urls import get_resolver, reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.services.outbox import without_secrets
from core import context
from core.api.problems import problem
from core.api.throttle import TooManyRequests, busy_page, count_request
from hpcbilling.problems import is_api

logger = logging.getLogger("hpcbilling.request")
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
QUIET = ("/static/", "/metrics", "/healthz", "/readyz")


class RequestContextMiddleware:
    """Gives every request an id (an incoming ``X-Request-ID`` is kept when it is harmless) and logs it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _SAFE_ID.match(given) else uuid.uuid4().hex
        agent = request.headers.get("User-Agent", "")
        started = time.monotonic()
        with context.bound(context.RequestContext(request_id, context.client_ip(request), agent)):
            response = self.get_response(request)
            response["X-Request-ID"] = request_id
            if not request.path.startswith(QUIET):
                _log(request, response, request_id, started)
        return response


class NoStoreMiddleware:
    """What is made for somebody who is signed in, or sets a cookie (which a form needs), is kept in no cache,
    neither a proxy's nor the browser's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_somebodys = settings.SESSION_COOKIE_NAME in request.COOKIES or "Authorization" in request.headers
        if response.cookies or (is_somebodys and not request.path_info.startswith("/static/")):
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class ProbesMiddleware:
    """Whether the process lives, and whether the database answers, is asked without asking the database whose browser
    it is; and no style sheet is anybody's own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(QUIET):
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        return self.get_response(request)


class PersonLimitMiddleware:
    """So many pages a minute for one person, who may sign out at any time; the API counts for itself, for there a key
    may stand for somebody."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_free = is_api(request) or request.path_info == reverse("accounts:logout")
        if not is_free and request.user.is_authenticated:
            try:
                count_request(f"user:{request.user.pk}")
            except TooManyRequests as error:
                return busy_page(request, error.message, error.seconds)
        return self.get_response(request)


class ProgramsOverTlsMiddleware:
    """People are led from http to https; programs are told instead. A redirect would be followed each time without
    anybody noticing that the key or the signed body went over the wire in the clear first."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and not request.is_secure() and _is_for_programs(request):
            with translation.override(translation.get_language_from_request(request)):
                return problem(
                    403, "https_required", _("Call this address over https; a key that was sent is known now.")
                )
        return self.get_response(request)


def _is_for_programs(request: HttpRequest) -> bool:
    path = request.path_info
    return (is_api(request) and path != "/api/docs/") or path.startswith("/payments/webhooks/")


class HeadersMiddleware:
    """Refuses, before anything reads the request, what its headers cannot mean: a length that is no number, a body in
    chunks without one, of which Django reads nothing and which would pass for an empty one, and a charset that is not
    UTF-8. Django takes any codec that Python knows, and those that are none for text (``rot13``,
    ``zlib``) would break it wherever a parameter is read; ``hpcbilling.wsgi`` lets them come as far as this."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        charset = (request.content_params or {}).get("charset", "")
        if charset and not _is_utf8(charset):
            request._encoding = "utf-8"  # type: ignore[attr-defined]  # the property would read by the other first
            with translation.override(translation.get_language_from_request(request)):
                words = _("Send UTF-8, and name no other charset.")
                return problem(415, "unsupported_charset", words) if is_api(request) else _refuse(request)
        length = request.META.get("CONTENT_LENGTH") or ""
        if "Transfer-Encoding" in request.headers and not length and request.method not in ("GET", "HEAD", "OPTIONS"):
            with translation.override(translation.get_language_from_request(request)):
                words = _("Say how long the body is (Content-Length); one that is sent in chunks is not read.")
                return problem(411, "length_required", words) if _is_for_programs(request) else _refuse(request)
        if not (length or "0").isdecimal():
            return _refuse(request)
        return self.get_response(request)


class SlashMiddleware(CommonMiddleware):
    """Whoever only looks is led to the address with a slash at its end. What is sent to one without is a 404: a
    redirect would lose the body on the way."""

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        return request.method in ("GET", "HEAD") and super().should_redirect_with_slash(request)


class RefuseNulMiddleware:
    """No address, parameter or form field of ours holds a NUL, and PostgreSQL stores none: such a request is a 400."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return _refuse(request)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *args: object
    ) -> HttpResponse | None:
        """Forms are read here, after a view that must see the raw body first (a webhook) has been let by."""
        is_form = request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data")
        if not is_form or getattr(view, "csrf_exempt", False):
            return None
        if any("\0" in text for name, values in request.POST.lists() for text in (name, *map(str, values))):
            return _refuse(request)
        return None


def _is_utf8(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name in ("utf-8", "ascii")
    except (LookupError, ValueError):
        return False


def _refuse(request: HttpRequest) -> HttpResponse:
    """The site's own page for bad requests, without a traceback in the log for whoever likes to fill it."""
    page: Callable[..., HttpResponse] = get_resolver().resolve_error_handler(400)
    with translation.override(translation.get_language_from_request(request)):  # refused before anybody asked for it
        return page(request, exception=SuspiciousOperation("NUL"))


def _log(request: HttpRequest, response: HttpResponse, request_id: str, started: float) -> None:
    path = without_secrets(request.path)
    milliseconds = round((time.monotonic() - started) * 1000, 1)
    logger.info(
        "%s %s %s %sms", request.method, path, response.status_code, milliseconds,
        extra={
            "fields": {
                "request_id": request_id,
                "method": request.method,
                "path": path,
                "status": response.status_code,
                "latency_ms": milliseconds,
                "user": _user_of(request),
            }
        },
    )  # fmt: skip


def _user_of(request: HttpRequest) -> str:
    """Empty where nobody knows: a request that failed for want of the database has its line all the same."""
    try:
        return str(context.actor_of(request)) if hasattr(request, "user") else ""
    except (DatabaseError, InterfaceError):
        return ""
