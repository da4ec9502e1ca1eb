"""RFC 9457 problem JSON for every API error."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_handler

from core.errors import AppError

CONTENT_TYPE = "application/problem+json"


def problem(status: int, code: str, title: str, **extra: Any) -> JsonResponse:
    body = {"type": "about:blank", "title": title, "status": status, "code": code, **extra}
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | JsonResponse | None:
    """DRF hook: our errors, DRF's and Django's all leave in one shape."""
    if isinstance(error, AppError):
        return problem(error.http_status, error.code, error.message, **error.details)
    if isinstance(error, RecursionError):
        return problem(400, "parse_error", "The JSON is nested too deeply.")
    response = drf_handler(error, context)
    if response is None:
        return None
    if isinstance(error, Http404):
        code = "not_found"
    elif isinstance(error, PermissionDenied):
        code = "permission_denied"
    else:
        codes = error.get_codes() if isinstance(error, exceptions.APIException) else "error"
        code = codes if isinstance(codes, str) else "invalid"
    extra = {"errors": response.data} if code == "invalid" else {}
    data = response.data if isinstance(response.data, dict) else {}
    answer = problem(response.status_code, code, str(data.get("detail", "Invalid request")), **extra)
    for name in ("WWW-Authenticate", "Retry-After", "Allow"):
        if name in response.headers:
            answer[name] = response.headers[name]
    return answer
