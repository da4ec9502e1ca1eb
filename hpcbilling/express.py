"""The short way of a single metered event: ``POST /api/v1/events`` with a project's key and one event in JSON.

Such requests come by the thousand and need no session, form, language or message; those that come at the same time are
committed together (``core.database.grouping``). Whatever is not plain (another kind of body, a key that does not work,
a group that failed) goes the usual way behind this, which alone says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve
from django_prometheus.middleware import PrometheusAfterMiddleware
from django_prometheus.utils import Time, TimeSince

from accounts.api_auth import user_of
from accounts.services.api_keys import digest_of
from core.api.problems import exception_handler
from core.context import note_api_key
from core.database.grouping import GroupFailed
from core.errors import AppError, Unavailable
from usage.api.events import answer, is_object, read_items
from usage.events.schema import Event
from usage.services.events import Taken
from usage.services.single_events import Single, groups

PATH = "/api/v1/events"
JSON = "application/json"
SCHEME = "bearer "
LARGEST = 16_384  # bytes; larger ones go the usual way
ACCEPTED_KINDS = ("", "*/*", JSON)


class SingleEventsMiddleware:
    """Stands behind what every answer needs (security headers, request id, problems) and before all else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._metrics: Any = PrometheusAfterMiddleware(get_response).metrics
        self._match: ResolverMatch | None = None
        self._counters: dict[tuple[str, str, str], list[Any]] = {}
        self._seconds: Any = None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = Time()
        response = _short_way(request)
        if response is None:
            return self.get_response(request)
        response["Content-Length"] = str(len(response.content))
        response["Allow"] = "GET, POST, HEAD, OPTIONS"
        response["Cache-Control"] = "private, no-store"
        self._count(request, response, began)
        return response

    def _count(self, request: HttpRequest, response: HttpResponse, began: float) -> None:
        """The figures that ``PrometheusAfterMiddleware`` leaves of the usual way. Children of labels are kept: to find
        the fifteen of them anew takes as long as a third of the answer."""
        request.resolver_match = self._match = self._match or resolve(PATH)
        transport = "https" if request.is_secure() else "http"
        kind = (str(response.status_code), transport, response.charset)
        if kind not in self._counters:
            self._counters[kind] = self._children(*kind, view=self._match.view_name)
        for counter in self._counters[kind]:
            counter.inc()
        self._metrics.requests_body_bytes.observe(len(request.body))
        self._metrics.responses_body_bytes.observe(len(response.content))
        self._seconds = self._seconds or self._metrics.requests_latency_by_view_method.labels(
            view=self._match.view_name, method="POST"
        )
        self._seconds.observe(TimeSince(began))

    def _children(self, status: str, transport: str, charset: str, *, view: str) -> list[Any]:
        of = self._metrics
        return [
            of.requests_by_method.labels(method="POST"),
            of.requests_by_transport.labels(transport=transport),
            of.requests_by_view_transport_method.labels(view=view, transport=transport, method="POST"),
            of.responses_by_status.labels(status=status),
            of.responses_by_status_view_method.labels(status=status, view=view, method="POST"),
            of.responses_by_charset.labels(charset=charset),
        ]


def _short_way(request: HttpRequest) -> HttpResponse | None:
    single = _single(request)
    if single is None:
        return None
    connection.health_check_done = True  # type: ignore[attr-defined]  # a broken one fails the group: that is the check
    try:
        answered = groups.submit(single)
    except GroupFailed:
        connection.close_if_unusable_or_obsolete()  # what broke the group may have been it
        return None
    except Unavailable as error:
        return exception_handler(error, {})
    if answered is None:
        return None
    note_api_key(answered.key.key_prefix)
    request.user = user_of(answered.key)  # for the log
    return answer(Taken([answered.verdict]), single=is_object(request.body))


def _single(request: HttpRequest) -> Single | None:
    """The event and its key, where all is plain."""
    if not _is_plain(request):
        return None
    digest = digest_of(request.META["HTTP_AUTHORIZATION"].partition(" ")[2].strip())
    if not digest:
        return None
    request.get_host()  # raises for one that is not ours, as the usual way does
    try:
        items = read_items(request.body, single=is_object(request.body), cloud=False)
    except AppError:
        return None
    return Single(digest, items[0]) if len(items) == 1 and isinstance(items[0], Event) else None


def _is_plain(request: HttpRequest) -> bool:
    meta = request.META
    return (
        request.method == "POST"
        and request.path_info == PATH
        and meta.get("HTTP_AUTHORIZATION", "").lower().startswith(SCHEME)
        and meta.get("CONTENT_TYPE") == JSON
        and meta.get("HTTP_ACCEPT", "") in ACCEPTED_KINDS
        and not meta.get("QUERY_STRING")
        and not meta.get("HTTP_CONTENT_ENCODING")
        and 0 < _length(meta.get("CONTENT_LENGTH")) <= LARGEST
    )


def _length(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
