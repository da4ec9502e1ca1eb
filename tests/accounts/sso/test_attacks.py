"""What an attacker between, beside or in place of the provider can send. Each is refused before anybody is signed in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from accounts.models import User
from audit.models import AuditLog
from tests.accounts.sso.provider import CLIENT, ISSUER, Provider, by_hand
from tests.accounts.sso.test_signing_in import CALLBACK, START, begin, come_back, sign_in, who

pytestmark = pytest.mark.django_db


def claims(**changes: Any) -> Callable[..., str]:
    """A well-signed token with other claims; ``None`` leaves one out."""

    def lie(provider: Provider, header: dict[str, Any], honest: dict[str, Any], key: Any) -> str:
        told = {name: value for name, value in {**honest, **changes}.items() if value is not None}
        return jwt.encode(told, key, algorithm="RS256", headers=header)

    return lie


def other_key(provider: Provider, header: dict[str, Any], honest: dict[str, Any], key: Any) -> str:
    return jwt.encode(honest, rsa.generate_private_key(65537, 2048), algorithm="RS256", headers=header)


def own_key_inside(provider: Provider, header: dict[str, Any], honest: dict[str, Any], key: Any) -> str:
    mine = Provider()
    return jwt.encode(honest, mine.key, algorithm="RS256", headers={"jwk": mine.keys()["keys"][0], "kid": mine.kid})


def unsigned(alg: str) -> Callable[..., str]:
    return lambda provider, header, honest, key: by_hand({**header, "alg": alg}, honest)


def public_key_as_secret(provider: Provider, header: dict[str, Any], honest: dict[str, Any], key: Any) -> str:
    return by_hand({**header, "alg": "HS256"}, honest, provider.pem())


def no_signature(provider: Provider, header: dict[str, Any], honest: dict[str, Any], key: Any) -> str:
    return jwt.encode(honest, key, algorithm="RS256", headers=header).rpartition(".")[0] + "."


NOW = int(time.time())
LIES = {
    "audience of another client": (claims(aud="another"), "audience"),
    "audience missing": (claims(aud=None), "token"),
    "several audiences, made for another": (claims(aud=[CLIENT, "x"], azp="x"), "audience"),
    "several audiences, not said for whom": (claims(aud=[CLIENT, "x"]), "audience"),
    "made for another": (claims(azp="x"), "audience"),
    "issuer of another realm": (claims(iss=ISSUER + "2"), "issuer"),
    "issuer with a slash more": (claims(iss=ISSUER + "/"), "issuer"),
    "issuer missing": (claims(iss=None), "token"),
    "expired": (claims(exp=NOW - 120), "expired"),
    "never expires": (claims(exp=None), "token"),
    "from the future": (claims(iat=NOW + 86_400), "token"),
    "not yet valid": (claims(nbf=NOW + 86_400), "token"),
    "issued long ago": (claims(iat=NOW - 86_400), "old"),
    "nonce of another sign-in": (claims(nonce="another"), "nonce"),
    "nonce missing": (claims(nonce=None), "nonce"),
    "subject missing": (claims(sub=None), "token"),
    "subject empty": (claims(sub=""), "subject"),
    "subject a number": (claims(sub=5), "token"),
    "subject too long": (claims(sub="x" * 192), "subject"),
    "signed with another key": (other_key, "token"),
    "brings its own key": (own_key_inside, "key"),
    "alg none": (unsigned("none"), "algorithm"),
    "alg None": (unsigned("None"), "algorithm"),
    "alg missing in effect": (unsigned(""), "algorithm"),
    "HS256 with the public key": (public_key_as_secret, "algorithm"),
    "signature cut off": (no_signature, "token"),
    "no token": (lambda *_all: "", "token"),
    "not a token": (lambda *_all: "a.b.c", "token"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_token_that_is_not_right_signs_nobody_in(idp: Provider, name: str) -> None:
    idp.lie, reason = LIES[name]
    client, answer = sign_in(idp)
    assert (answer.status_code, who(client)) == (403, "")
    assert AuditLog.objects.get(action="sso_refused").extra == {"reason": reason}
    assert not User.objects.exists()


def test_a_state_works_once(idp: Provider) -> None:
    client = Client()
    back = idp.authorize(begin(client))
    assert come_back(client, back).status_code == 302
    client.post("/accounts/logout/")
    assert come_back(client, back).status_code == 400


def test_a_code_that_was_used_signs_nobody_in(idp: Provider) -> None:
    """Somebody saw the code: with a state of their own it is of no use, for it was taken, and is bound to a verifier."""
    victim, attacker = Client(), Client()
    back = idp.authorize(begin(victim))
    code = back.split("code=")[1].split("&")[0]
    state = begin(attacker).split("state=")[1].split("&")[0]
    assert attacker.get(CALLBACK, {"code": code, "state": state}).status_code == 502
    assert who(attacker) == ""


def test_a_state_of_another_browser_is_none(idp: Provider) -> None:
    """Else an attacker's link would sign the victim in as the attacker."""
    attacker, victim = Client(), Client()
    back = idp.authorize(begin(attacker))
    assert come_back(victim, back).status_code == 400
    assert who(victim) == ""


@pytest.mark.parametrize(
    "query", [{}, {"state": ""}, {"state": "x", "code": "y"}, {"code": "y"}, {"state": "x" * 9000}]
)
def test_an_answer_that_nobody_asked_for_is_refused(idp: Provider, query: dict[str, str]) -> None:
    assert Client().get(CALLBACK, query).status_code == 400


def test_an_answer_in_the_name_of_another_issuer_is_refused(idp: Provider) -> None:
    client = Client()
    back = idp.authorize(begin(client)).replace("iss=http%3A%2F%2F127.0.0.1", "iss=http%3A%2F%2Fevil.example")
    assert come_back(client, back).status_code == 400
    assert "/realm/token" not in idp.asked, "the code was sent nowhere"


def test_metadata_of_another_issuer_is_refused(idp: Provider) -> None:
    idp.metadata["issuer"] = "https://evil.example"
    answer = Client().post(START)
    assert answer.status_code == 503
    assert AuditLog.objects.get(action="sso_refused").extra == {"reason": "metadata_issuer"}


def test_an_address_without_tls_is_refused_in_production(idp: Provider, settings: Any) -> None:
    settings.OIDC_HTTP_ALLOWED = False
    assert Client().post(START).status_code == 503


def test_a_provider_that_does_not_answer_is_a_page_not_a_traceback(db: None, settings: Any) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    assert Client().post(START).status_code == 503


def test_stopped_there_is_no_error_here(idp: Provider) -> None:
    client = Client()
    state = begin(client).split("state=")[1].split("&")[0]
    answer = client.get(CALLBACK, {"error": "access_denied", "error_description": "<script>", "state": state})
    assert answer.status_code == 400
    assert "You stopped" in answer.content.decode()
    assert "<script>" not in answer.content.decode()


def test_it_begins_by_post_with_a_token_alone(idp: Provider) -> None:
    assert Client().get(START).status_code == 405
    assert Client(enforce_csrf_checks=True).post(START).status_code == 403


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_it_leads_back_to_this_site_alone(idp: Provider, to: str) -> None:
    assert sign_in(idp, to=to)[1]["Location"] == "/"


def test_the_session_key_changes_at_sign_in(idp: Provider) -> None:
    client = Client()
    back = idp.authorize(begin(client))
    before = client.session.session_key
    come_back(client, back)
    assert client.session.session_key != before


def test_no_secret_or_token_reaches_the_audit_log(idp: Provider) -> None:
    sign_in(idp)
    idp.lie = claims(aud="x")
    sign_in(idp)
    text = str(list(AuditLog.objects.values()))
    assert "a-token" not in text
    assert "eyJ" not in text
    assert "client-secret" not in text
