"""What the settings need to know of single sign-on before any app is there."""

from __future__ import annotations

from importlib.util import find_spec
from urllib.parse import urlsplit

SECOND_FACTOR_ROLES = ("admin", "finance", "rates-editor", "operator", "support", "auditor", "superuser")


def origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def check_single_sign_on(issuer: str, client_id: str, client_secret: str, *, http_allowed: bool) -> list[str]:
    """All that is wrong, each by the name of its variable."""
    parts = urlsplit(issuer)
    wrong = []
    if parts.scheme not in (("https", "http") if http_allowed else ("https",)) or not parts.netloc:
        wrong.append("OIDC_ISSUER: the provider's https address, exactly as it spells itself")
    if parts.query or parts.fragment or parts.username:
        wrong.append("OIDC_ISSUER: an address without user, query and fragment")
    wrong += [
        f"{name}: single sign-on needs it"
        for name, value in (("OIDC_CLIENT_ID", client_id), ("OIDC_CLIENT_SECRET", client_secret))
        if not value
    ]
    if find_spec("allauth") is None or find_spec("jwt") is None:
        wrong.append("OIDC_ISSUER: install the extra first: pip install --require-hashes -r requirements-sso.txt")
    return wrong
