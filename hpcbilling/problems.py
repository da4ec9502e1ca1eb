"""Below ``/api/`` every error is problem JSON, those too that Django answers before or around a view."""

from __future__ import annotations

import sys
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.views.csrf import csrf_failure as csrf_page
from django.views.defaults import bad_request, page_not_found

from core import context
from core.api.problems import CONTENT_TYPE, plain_problem, problem
from core.api.sessions import CsrfFailed
from core.database.outage import is_outage

RETRY_SECONDS = 10  # after which somebody may ask again whom an absent database turned away


def is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/") or request.path_info in ("/api", "/formula")


class ApiProblemsMiddleware:
    """Stands outside of all that may refuse a request (hosts, CSRF, NUL bytes) or break.

    The answer is changed in place: Django logs an exception once, with the answer that it made.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_api(request):
            return self.get_response(request)
        if _is_too_large(request):
            with _language_of(request):
                return plain_problem(413)
        response = self.get_response(request)
        if response.status_code >= 400 and response["Content-Type"] != CONTENT_TYPE:  # noqa: PLR2004 - errors
            with _language_of(request):
                response.content = plain_problem(response.status_code).content
            response["Content-Type"] = CONTENT_TYPE
            response["Content-Length"] = str(len(response.content))
        return response


class OwnNotFoundMiddleware:
    """With DEBUG Django shows its own page for an address that is none, or that asks for what cannot be; people shall
    see the site's there, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 404 and request.resolver_match is None and not is_api(request):  # noqa: PLR2004
            return page_not_found(request, Http404())
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """What a view does not find, or cannot understand."""
        if isinstance(exception, Http404) and not is_api(request):
            return page_not_found(request, exception)
        if isinstance(exception, BadRequest) and not is_api(request):
            return bad_request(request, exception)
        return None


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """``CSRF_FAILURE_VIEW``: a page for a form, a problem for the API."""
    if is_api(request):
        return problem(CsrfFailed.status_code, CsrfFailed.default_code, str(CsrfFailed.default_detail))
    return csrf_page(request, reason)


def server_error(request: HttpRequest) -> HttpResponse:
    """``handler500``: a page that asks nothing of the database and names the request, so that it can be found.

    While the database is away it is a 503, which programs, proxies and payment providers know to pass.
    """
    status = 503 if is_outage(sys.exc_info()[1]) else 500
    with _language_of(request):
        words = render_to_string(f"{status}.html", {"request_id": context.current().request_id})
    response = HttpResponse(words, status=status)
    if status == 503:  # noqa: PLR2004
        response["Retry-After"] = str(RETRY_SECONDS)
    return response


def _is_too_large(request: HttpRequest) -> bool:
    """By the length that is announced; of a body without one Django reads nothing."""
    length, most = request.META.get("CONTENT_LENGTH") or "0", settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return most is not None and length.isdecimal() and int(length) > most


def _language_of(request: HttpRequest) -> translation.override:
    """Of this request: where it was refused early, the thread still speaks that of the one before."""
    return translation.override(translation.get_language_from_request(request))
