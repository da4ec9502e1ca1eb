"""The client side of the provider on top of django-allauth: its state, PKCE and code exchange, and our own checks.

Imported only when ``OIDC_ENABLED``: allauth need not be installed otherwise.
"""

from __future__ import annotations

import functools
import secrets
from typing import Any
from urllib.parse import urlsplit

import requests
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts.sso.tokens import TokenRefused

TIMEOUT = 5  # seconds for each of the three calls
LARGEST = 1 << 20  # bytes of an answer


class SocialAdapter(DefaultSocialAccountAdapter):
    """``SOCIALACCOUNT_ADAPTER``: nobody signs up by allauth's own pages, and its calls follow no redirect."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def generate_state_param(self, state: dict[str, Any]) -> str:
        return secrets.token_urlsafe(32)

    def get_requests_session(self) -> requests.Session:
        session = requests.Session()
        session.max_redirects = 0
        session.trust_env = False
        limited = functools.partial(session.request, timeout=TIMEOUT, allow_redirects=False)
        session.request = limited  # type: ignore[method-assign]
        return session


class Adapter(OpenIDConnectOAuth2Adapter):
    """allauth's, with the issuer that the settings name and the address of this site, whatever the request says."""

    @property
    def openid_config(self) -> dict[str, Any]:
        if not hasattr(self, "_openid_config"):
            found = read_json(f"{settings.OIDC_ISSUER.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != settings.OIDC_ISSUER:
                raise TokenRefused("metadata_issuer")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                _check_address(found.get(name))
            self._openid_config = found
        return self._openid_config

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return settings.SITE_BASE_URL + reverse("accounts:sso_callback")

    def keys(self) -> dict[str, Any]:
        return read_json(self.openid_config["jwks_uri"])


def read_json(address: str) -> dict[str, Any]:
    """Raises ``requests.RequestException`` and ``TokenRefused``."""
    session = SocialAdapter().get_requests_session()
    with session.get(address, stream=True) as answer:
        if answer.status_code != requests.codes.ok:
            raise TokenRefused("provider_answer")
        body = answer.raw.read(LARGEST + 1, decode_content=True)
    if len(body) > LARGEST:
        raise TokenRefused("provider_answer")
    try:
        found = requests.compat.json.loads(body)  # type: ignore[attr-defined]
    except ValueError as error:
        raise TokenRefused("provider_answer") from error
    if not isinstance(found, dict):
        raise TokenRefused("provider_answer")
    return found


def _check_address(address: object) -> None:
    parts = urlsplit(str(address or ""))
    if parts.scheme != "https" and not (settings.OIDC_HTTP_ALLOWED and parts.scheme == "http"):
        raise TokenRefused("metadata_address")
