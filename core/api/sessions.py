"""Signing in to the API as to the pages: by session, with the CSRF token for what writes."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.authentication import SessionScheme
from rest_framework import authentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request


class CsrfFailed(PermissionDenied):
    """Not a missing right: the same request with its token may pass."""

    default_code = "csrf_failed"
    default_detail = _("The CSRF token is missing or wrong: send the CSRF cookie again as X-CSRFToken header.")


class SessionAuthentication(authentication.SessionAuthentication):
    """Names itself, so that a request of nobody is 401, and tells a missing token from a missing right."""

    def authenticate_header(self, request: Request) -> str:
        return 'Session realm="api"'

    def enforce_csrf(self, request: Request) -> None:
        """Asked of Django's own request: the check looks for a form's field first, and the other would parse the body
        for it, which a view that reads it raw has no parser for."""
        try:
            super().enforce_csrf(request._request)  # type: ignore[arg-type]
        except PermissionDenied:
            raise CsrfFailed from None


class SessionDescription(SessionScheme):  # type: ignore[no-untyped-call]
    target_class = "core.api.sessions.SessionAuthentication"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        words = "The session of the pages. What writes also needs the `csrftoken` cookie as the header `X-CSRFToken`."
        known = super().get_security_definition(auto_schema)  # type: ignore[no-untyped-call]
        return {**known, "description": words}
