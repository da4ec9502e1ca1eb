"""Before what an open session alone must not do: who is it? An answer holds for ``STEP_UP_SEC`` seconds, and so does a
fresh sign-in."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.request import Request

from accounts.sign_in.second_factor import DONE
from accounts.sign_in.sessions import SINCE
from core.errors import AppError

CONFIRMED = "confirmed_at"  # in a session: unix seconds


def is_known(request: HttpRequest) -> bool:
    last = max(request.session.get(name) or 0 for name in (SINCE, DONE, CONFIRMED))
    return bool(time.time() - last < settings.STEP_UP_SEC)


def ask_again(request: HttpRequest, back: str = "") -> HttpResponse | None:
    """The way to the page that asks, which leads ``back`` (here, unless told); None where nobody needs to be asked.
    What a form carried is not kept: whoever comes back sends it once more."""
    if is_known(request):
        return None
    return redirect(f"{reverse('accounts:step_up')}?{urlencode({'next': back or request.get_full_path()})}")


class IdentityUnconfirmed(AppError):
    code = "identity_unconfirmed"
    http_status = 403


def check_known(request: Request) -> None:
    """The same for the API, where a session asks. Raises ``IdentityUnconfirmed``; a key stands for itself."""
    if request.auth is None and not is_known(request._request):
        raise IdentityUnconfirmed(_("Confirm first who you are, at %(page)s.") % {"page": reverse("accounts:step_up")})
