"""API keys at the API: who a key stands for, and what it may do there.

A view says in ``key_scopes`` which scope each method asks for (``{"GET": "usage:read"}``); a method that is not named
there is open to people and to keys with ``admin:*`` alone. Keys of projects pass only where ``takes_project_keys`` is
set. Every key that does not work, whatever the reason, has the same answer.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

from accounts.models import ApiKey, Role, Scope, User
from accounts.services.api_keys import find_key, note_use
from core.context import note_api_key

SCHEME = "Bearer"


class BadKey(exceptions.AuthenticationFailed):
    default_code = "bad_api_key"
    default_detail = _("This API key is not valid.")


class KeyUser(AnonymousUser):
    """A project's key: it is somebody, and has no rights but its scopes."""

    is_active = True  # type: ignore[assignment]
    is_authenticated = True  # type: ignore[assignment]
    is_anonymous = False  # type: ignore[assignment]

    def __init__(self, key: ApiKey) -> None:
        super().__init__()
        self.username = f"key:{key.key_prefix}"  # type: ignore[assignment]
        self.pk = self.username  # type: ignore[assignment]


class ApiKeyAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer hpcb_…``. ``request.auth`` is the ``ApiKey``."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        scheme, _space, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        key = find_key(text.strip())
        if key is None:
            raise BadKey
        note_use(key)
        note_api_key(key.key_prefix)
        return user_of(key), key

    def authenticate_header(self, request: Request) -> str:
        return f'{SCHEME} realm="api", Session realm="api"'


def user_of(key: ApiKey) -> User | KeyUser:
    """Without ``admin:*`` a member of staff's key has none of their rights in the console."""
    if key.user is None:
        return KeyUser(key)
    user = key.user
    if Scope.ADMIN not in key.scopes:
        user.role, user.is_superuser = Role.USER, False
        user._perm_cache = user._user_perm_cache = user._group_perm_cache = set()  # type: ignore[attr-defined]
    return user


class NoScope(exceptions.PermissionDenied):
    default_code = "scope_missing"
    default_detail = _("This API key may not do that.")


class NeedsPersonalKey(exceptions.PermissionDenied):
    default_code = "personal_key_needed"
    default_detail = _("The key of a project opens nothing of people; use a key of your own.")


class KeyScope(permissions.BasePermission):
    """Says nothing about people."""

    def has_permission(self, request: Request, view: Any) -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            return True
        scopes: dict[str, str] = getattr(view, "key_scopes", {})
        wanted = scopes.get("GET" if request.method in ("HEAD", "OPTIONS") else str(request.method))
        if key.project_id is not None and not getattr(view, "takes_project_keys", False):
            raise NeedsPersonalKey
        if wanted not in key.scopes and Scope.ADMIN not in key.scopes:
            raise NoScope
        return True


class KeyDescription(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.api_auth.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API key, from `/keys/`."}
