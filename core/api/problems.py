"""RFC 9457 problem JSON for every API error."""

from __future__ import annotations

from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, JsonResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_handler

from core.errors import AppError

CONTENT_TYPE = "application/problem+json"
# Where Django answers before any view of the API does.
PLAIN: dict[int, tuple[str, str | Promise]] = {
    400: ("bad_request", gettext_lazy("The request cannot be understood")),
    403: ("permission_denied", gettext_lazy("You may not open this")),
    404: ("not_found", gettext_lazy("There is nothing at this address.")),
    405: ("method_not_allowed", gettext_lazy("This address does not know the method.")),
    413: ("too_large", gettext_lazy("The body is too large.")),
    503: ("unavailable", gettext_lazy("The database does not answer in time. Send it again in a moment.")),
}
BROKEN = ("internal_error", gettext_lazy("Something went wrong on our side"))


def problem(status: int, code: str, title: str, **extra: Any) -> JsonResponse:
    return JsonResponse(_body(status, code, title, extra), status=status, content_type=CONTENT_TYPE)


def problem_of(error: AppError) -> dict[str, Any]:
    """What an answer says of one of our errors, as plain data."""
    return _body(error.http_status, error.code, error.message, _members(error))


def _body(status: int, code: str, title: str, extra: dict[str, Any]) -> dict[str, Any]:
    return {"type": "about:blank", "title": title, "status": status, "code": code, **extra}


def plain_problem(status: int) -> JsonResponse:
    """What can be said from the status alone; nothing of the inside shows."""
    code, title = PLAIN.get(status) or (PLAIN[400] if status < 500 else BROKEN)  # noqa: PLR2004 - 5xx is ours
    return problem(status, code, str(title))


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF hook: our errors, DRF's and Django's all leave in one shape."""
    if isinstance(error, AppError):
        told = JsonResponse(problem_of(error), status=error.http_status, content_type=CONTENT_TYPE)
        for name, value in error.headers().items():
            told[name] = value
        return told
    if isinstance(error, RecursionError):
        return problem(400, "parse_error", _("The JSON is nested too deeply."))
    response = drf_handler(error, context)
    if response is None:
        return None
    answer = _of_drf(error, response)
    for name in ("WWW-Authenticate", "Retry-After", "Allow"):
        if name in response.headers:
            answer[name] = response.headers[name]
    return answer


def _of_drf(error: Exception, response: Response) -> HttpResponse:
    if isinstance(error, Http404):
        code = "not_found"
    elif isinstance(error, PermissionDenied):
        code = "permission_denied"
    else:
        codes = error.get_codes() if isinstance(error, exceptions.APIException) else "error"
        code = codes if isinstance(codes, str) else "invalid"
    if code == "invalid":
        data = response.data if isinstance(response.data, dict) else {"non_field_errors": response.data}
        return problem(response.status_code, code, _("Invalid request"), errors=dict(_flat(data)))
    return problem(response.status_code, code, _title(error, response))


def _flat(data: Any, name: str = "") -> Iterator[tuple[str, list[str]]]:
    """Texts by field; what lies in a list or a map is named by its place (``scopes.0``)."""
    if isinstance(data, list) and not any(isinstance(each, dict | list) for each in data):
        yield name or "non_field_errors", [str(each) for each in data]
        return
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield from _flat(value if isinstance(value, dict | list) else [value], f"{name}.{key}" if name else str(key))


def _title(error: Exception, response: Response) -> str:
    """DRF's words, but where they are English alone or those of a Python module."""
    if isinstance(error, exceptions.NotAcceptable):
        return _("Nothing here is of a kind that the Accept header names.")
    if isinstance(error, exceptions.ParseError) and isinstance(at := error.__context__, ValueError):
        if isinstance(at, JSONDecodeError):
            return _("The body is not JSON: line %(line)s, column %(column)s.") % {
                "line": at.lineno,
                "column": at.colno,
            }
        return _("The body is not JSON that can be read.")
    return str(response.data["detail"])


def _members(error: AppError) -> dict[str, Any]:
    """The facts of an error; what concerns a field stands under ``errors``, as it does when a serializer refuses."""
    members = dict(error.details)
    field = members.pop("field", None)
    return {"errors": {field: [error.message]}, **members} if field else members
