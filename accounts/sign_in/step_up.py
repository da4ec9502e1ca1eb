"""Before what an open session alone must not do: who is it? An answer holds for ``STEP_UP_SEC`` seconds, and so does a
fresh sign-in."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts.sign_in.second_factor import DONE
from accounts.sign_in.sessions import SINCE

CONFIRMED = "confirmed_at"  # in a session: unix seconds


def is_known(request: HttpRequest) -> bool:
    last = max(request.session.get(name) or 0 for name in (SINCE, DONE, CONFIRMED))
    return bool(time.time() - last < settings.STEP_UP_SEC)


def ask_again(request: HttpRequest) -> HttpResponse | None:
    """The way to the page that asks, which leads back here; None where nobody needs to be asked. What a form carried
    is not kept: whoever comes back sends it once more."""
    if is_known(request):
        return None
    return redirect(f"{reverse('accounts:step_up')}?{urlencode({'next': request.get_full_path()})}")
