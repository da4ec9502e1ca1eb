"""Two addresses: the one that leads to the provider, and the one that the provider leads back to."""

from __future__ import annotations

import logging
import secrets
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.services.external_logins import Refused, user_for
from accounts.sign_in.second_factor import DONE, has_one
from accounts.sign_in.sessions import END_THERE
from accounts.sso.claims import Person, person_of
from accounts.sso.tokens import TokenRefused, read_id_token
from audit.services import record
from core.context import Actor

logger = logging.getLogger("accounts.sso")
PROVIDER = "oidc"
ANONYMOUS = Actor("anonymous")


@require_POST
@never_cache
def start(request: HttpRequest) -> HttpResponse:
    """By POST: nobody is signed in by a link alone. State, nonce and PKCE verifier stay in this browser's session."""
    if not settings.OIDC_ENABLED:
        raise Http404
    import requests

    from accounts.sso.provider import Adapter

    to = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(to, {request.get_host()}, require_https=request.is_secure()):
        to = resolve_url(settings.LOGIN_REDIRECT_URL)
    nonce = secrets.token_urlsafe(32)
    adapter = Adapter(request, PROVIDER)
    provider = adapter.get_provider()
    provider.get_oauth2_adapter = lambda _request: adapter
    try:
        answer: HttpResponse = provider.redirect(
            request, process="login", next_url=to, data={"nonce": nonce}, auth_params={"nonce": nonce}
        )
    except (requests.RequestException, TokenRefused) as error:
        return _refused(request, str(error.args[0] if isinstance(error, TokenRefused) else "unreachable"), 503)
    return answer


@require_GET
@never_cache
def callback(request: HttpRequest) -> HttpResponse:
    if not settings.OIDC_ENABLED:
        raise Http404
    import requests
    from allauth.socialaccount.internal import statekit
    from allauth.socialaccount.providers.oauth2.client import OAuth2Error

    state = statekit.unstash_state(request, provider_id=PROVIDER, state_id=request.GET.get("state", ""))
    if state is None:
        return _refused(request, "state", 400)
    if not constant_time_compare(request.GET.get("iss", settings.OIDC_ISSUER), settings.OIDC_ISSUER):
        return _refused(request, "issuer", 400)
    if "error" in request.GET or not request.GET.get("code"):
        return _refused(request, "canceled" if request.GET.get("error") == "access_denied" else "provider", 400)
    try:
        person, leave = _exchange(request, state)
        user = user_for(person=person)
    except (TokenRefused, Refused) as error:
        return _refused(request, str(error.args[0]), 403)
    except (requests.RequestException, OAuth2Error):
        return _refused(request, "exchange", 502)
    return _signed_in(request, user, person, str(state.get("next") or "/"), leave)


def _exchange(request: HttpRequest, state: dict[str, Any]) -> tuple[Person, str]:
    """Code for token, token for person; and where the session there is ended."""
    from accounts.sso.provider import Adapter

    adapter = Adapter(request, PROVIDER)
    app = adapter.get_provider().app
    answer = adapter.get_access_token_data(
        request, app, adapter.get_client(request, app), pkce_code_verifier=state.get("pkce_code_verifier")
    )
    claims = read_id_token(
        answer.get("id_token"), keys=adapter.keys(), issuer=settings.OIDC_ISSUER, client_id=settings.OIDC_CLIENT_ID,
        nonce=str((state.get("data") or {}).get("nonce", "")),
    )  # fmt: skip
    return person_of(claims), str(adapter.openid_config.get("end_session_endpoint") or "")


def _signed_in(request: HttpRequest, user: Any, person: Person, to: str, leave: str) -> HttpResponse:
    from accounts.views.second_factors import ask_for_code
    from accounts.views.signing_in import begin_session

    record(
        actor=Actor(user.username),
        action="sso_login",
        target=user.username,
        entity=user,
        extra={"issuer": person.issuer},
    )
    if has_one(user) and not person.second_factor:
        return ask_for_code(request, user, to)
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    if person.second_factor:
        request.session[DONE] = request.session.get(DONE) or 1
    if leave.startswith("https://") or (settings.OIDC_HTTP_ALLOWED and leave.startswith("http://")):
        back = settings.SITE_BASE_URL + resolve_url(settings.LOGOUT_REDIRECT_URL)
        values = {"client_id": settings.OIDC_CLIENT_ID, "post_logout_redirect_uri": back}
        request.session[END_THERE] = f"{leave}{'&' if '?' in leave else '?'}{urlencode(values)}"
    response = HttpResponseRedirect(to)
    begin_session(request, response, user)
    return response


def _refused(request: HttpRequest, code: str, status: int) -> HttpResponse:
    """One page whatever it was; the log and the audit say which check it was, not what was sent."""
    logger.warning("sign-in by the identity provider refused: %s", code)
    record(actor=ANONYMOUS, action="sso_refused", target=settings.OIDC_NAME, status="refused", extra={"reason": code})
    return render(request, "accounts/sso_refused.html", {"code": code, "name": settings.OIDC_NAME}, status=status)
