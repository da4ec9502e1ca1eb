"""Who is acting and from where, for the audit log and the request log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Facts of the request being served; empty outside one."""

    request_id: str = ""
    ip: str = ""
    user_agent: str = ""
    viewer: str = ""  # who really looks, while the pages are shown as another user sees them
    api_key: str = ""  # the beginning of the key that the request came with


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who does something: a user by name, or the system."""

    name: str

    def __str__(self) -> str:
        return self.name


SYSTEM = Actor("system")

_NOBODY = RequestContext()
_current: ContextVar[RequestContext] = ContextVar("request_context", default=_NOBODY)


def current() -> RequestContext:
    return _current.get()


def note_api_key(prefix: str) -> None:
    """From here on the request is one of this key."""
    _current.set(replace(_current.get(), api_key=prefix))


@contextmanager
def bound(context: RequestContext) -> Iterator[RequestContext]:
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def client_ip(request: HttpRequest) -> str:
    """Address of the client. X-Forwarded-For counts only as far as our own proxies wrote it."""
    chain = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    trusted = settings.TRUSTED_PROXY_COUNT
    candidate = chain[-trusted] if trusted and len(chain) >= trusted else request.META.get("REMOTE_ADDR", "")
    try:
        return str(ip_address(candidate))
    except ValueError:
        return "0.0.0.0"  # noqa: S104 - a word for "unknown", nothing is bound to it


def actor_of(request: HttpRequest) -> Actor:
    user = getattr(request, "user", None)
    return Actor(user.get_username()) if user is not None and user.is_authenticated else Actor("anonymous")
