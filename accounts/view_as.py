"""Support looks at the self-service pages as a user: reading only, for an hour at most, and the log says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import User
from audit.services import record
from core import context
from core.context import Actor, actor_of

KEY = "view_as"
LASTS = 3600  # seconds
PERMISSION = "accounts.look_as_user"
READING = ("GET", "HEAD", "OPTIONS")
OWN = ("/admin/", "/i18n/", "/static/", "/account/view-as/", "/accounts/logout/")  # the viewer's, not the user's
PRIVATE = ("/account/", "/accounts/", "/api/", "/formula", "/payments/")  # sessions, and what acts or asks a provider
LONGEST_REASON = 200


class ViewAsMiddleware:
    """Puts the user in the place of the viewer while the session says so; ``request.viewer`` is who really looks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        seen = request.session.get(KEY)
        if not seen or request.path_info.startswith(OWN):
            return self.get_response(request)
        user = User.objects.filter(username=seen["username"]).first()
        if time.time() > seen["until"] or not may_view_as(request.user, user):
            end(request)
            return self.get_response(request)
        viewer: Any = request.user
        if request.method not in READING or request.path_info.startswith(PRIVATE):
            return render(request, "accounts/view_as_refused.html", {"seen": user}, status=403)
        request.user, request.viewer = user, viewer  # type: ignore[assignment,attr-defined]
        with context.bound(replace(context.current(), viewer=viewer.get_username())):
            response = self.get_response(request)
            if response.headers.get("Content-Disposition", "").startswith("attachment"):
                record(actor=Actor(str(user)), action="view_as_download", target=request.path_info)
            return response


def may_view_as(viewer: User | AnonymousUser, user: User | None) -> bool:
    """Never another member of staff: their pages lead to rights of their own."""
    return (
        user is not None
        and user.is_active
        and not (user.is_staff or user.is_superuser)
        and bool(viewer.is_active)
        and viewer.has_perm(PERMISSION)
    )


def begin(request: HttpRequest, pk: str, shared: dict[str, Any]) -> HttpResponse:
    """The console's page: asks why, then leads to the user's front page. ``shared`` is the console's own context."""
    user = get_object_or_404(User, pk=pk)
    if not may_view_as(request.user, user):
        return render(request, "403.html", status=403)
    reason = request.POST.get("reason", "").strip()
    if request.method == "POST" and 0 < len(reason) <= LONGEST_REASON:
        request.session[KEY] = {"username": user.username, "until": int(time.time()) + LASTS}
        record(
            actor=actor_of(request), action="view_as_start", target=user.username, entity=user,
            extra={"reason": reason, "seconds": LASTS},
        )  # fmt: skip
        return redirect("home")
    more = {
        "title": _("View as %(user)s") % {"user": user}, "seen": user, "opts": User._meta,
        "missing": request.method == "POST", "longest": LONGEST_REASON,
    }  # fmt: skip
    status = 400 if more["missing"] else 200
    return TemplateResponse(request, "admin/accounts/view_as.html", {**shared, **more}, status=status)


def end(request: HttpRequest) -> str:
    """Back to oneself; whom one looked as, or nothing."""
    seen = request.session.pop(KEY, None)
    if not seen:
        return ""
    record(actor=Actor(request.user.get_username() or "system"), action="view_as_end", target=seen["username"])
    return str(seen["username"])


@require_POST
def stop(request: HttpRequest) -> HttpResponse:
    username = end(request)
    return redirect("admin:accounts_user_change", username) if username else redirect("home")
