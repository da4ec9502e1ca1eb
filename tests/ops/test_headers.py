"""Strict headers on every address of the site, whatever it answers and to whom."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

pytestmark = pytest.mark.django_db
SAMPLES = {
    "int": "1", "str": "x", "slug": "x", "uuid": str(uuid.UUID(int=7)), "path": "x", "default": "1",
}  # fmt: skip


def addresses() -> Iterator[str]:
    """Every pattern of the resolver with something put into its holes."""
    for route in _routes("", get_resolver().url_patterns):
        path = re.sub(r"\(\?P<\w+>[^)]*\)", "x", route)
        path = re.sub(r"<(?:(\w+):)?\w+>", lambda hole: SAMPLES.get(hole[1] or "str", "x"), path)
        yield "/" + re.sub(r"[\^$\\?]", "", path)


def _routes(before: str, patterns: list[Any]) -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(route, pattern.url_patterns)
        elif isinstance(pattern, URLPattern):
            yield route


@pytest.fixture
def as_on_the_internet(settings: Any) -> Any:
    """The headers of production; the database stays that of the test."""
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    return settings


def faults(answer: Any) -> list[str]:
    """What the answer lacks."""
    policy = dict(part.strip().split(" ", 1) for part in answer.get("Content-Security-Policy", "x y").split(";"))
    wanted = {
        "default-src": policy.get("default-src") in ("'self'", "'none'"),
        "frame-ancestors": policy.get("frame-ancestors") == "'none'",
        "base-uri": policy.get("base-uri") == "'none'",
        "object-src": policy.get("object-src") == "'none'",
        "form-action": policy.get("form-action", "").startswith("'self'"),
        "no unsafe": "unsafe" not in answer.get("Content-Security-Policy", ""),
        "nosniff": answer.get("X-Content-Type-Options") == "nosniff",
        "frames": answer.get("X-Frame-Options") == "DENY",
        "referrer": answer.get("Referrer-Policy") == "same-origin",
        "permissions": "camera=()" in answer.get("Permissions-Policy", ""),
        "opener": answer.get("Cross-Origin-Opener-Policy") == "same-origin",
        "resource": answer.get("Cross-Origin-Resource-Policy") == "same-origin",
        "hsts": "max-age=31536000; includeSubDomains" in answer.get("Strict-Transport-Security", ""),
    }
    missing = [name for name, there in wanted.items() if not there]
    if answer.cookies and "no-store" not in answer.get("Cache-Control", ""):
        missing.append(f"a cookie that may be kept: {answer.get('Cache-Control')}")
    for name, cookie in answer.cookies.items():
        if cookie["max-age"] == 0:
            continue  # it is taken away
        if not cookie["secure"]:
            missing.append(f"cookie {name} is not Secure")
        if cookie["samesite"] not in ("Lax", "Strict"):
            missing.append(f"cookie {name} has no SameSite")
        if name == "sessionid" and not cookie["httponly"]:
            missing.append("the session cookie can be read by scripts")
    return missing


def test_the_walk_finds_the_whole_site() -> None:
    found = set(addresses())
    assert len(found) > 150
    assert {"/", "/receipts/", "/admin/audit/auditlog/", "/api/v1/jobs", "/healthz", "/verify/"} <= found


@pytest.mark.parametrize("method", ["get", "post"])
def test_every_address_carries_every_header_for_strangers(as_on_the_internet: Any, method: str) -> None:
    client = Client(raise_request_exception=False)
    wrong = {path: missing for path in addresses() if (missing := faults(getattr(client, method)(path, secure=True)))}
    assert wrong == {}


def test_every_address_carries_every_header_and_is_kept_nowhere_for_somebody_signed_in(
    as_on_the_internet: Any, superuser: Any
) -> None:
    client, wrong = Client(raise_request_exception=False), {}
    for path in addresses():
        client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
        answer = client.get(path, secure=True)
        missing = faults(answer)
        if "no-store" not in answer.get("Cache-Control", ""):
            missing.append(f"may be kept: {answer.get('Cache-Control')}")
        if missing:
            wrong[path] = missing
    assert wrong == {}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/accounts/login/?a=%00", {}, 400),
        ("/accounts/login/", {"Host": "evil.example"}, 400),
        ("/no/such/page", {}, 404),
        ("/static/no-such.css", {}, 404),
        ("/api/v1/nothing", {}, 404),
        ("/api/v1/jobs", {"Authorization": "Bearer wrong"}, 401),
    ],
)
def test_refusals_that_come_early_carry_them_too(
    as_on_the_internet: Any, path: str, headers: dict[str, str], status: int
) -> None:
    answer = Client(raise_request_exception=False).get(path, headers=headers, secure=True)
    assert (answer.status_code, faults(answer)) == (status, [])


def test_an_error_carries_them_too(as_on_the_internet: Any, monkeypatch: Any) -> None:
    from hpcbilling import ops

    monkeypatch.setattr(ops, "__version__", object())
    answer = Client(raise_request_exception=False).get("/healthz", secure=True)
    assert (answer.status_code, faults(answer)) == (500, [])


def test_the_way_from_http_to_https_carries_them_too(as_on_the_internet: Any) -> None:
    as_on_the_internet.SECURE_SSL_REDIRECT = True
    answer = Client().get("/receipts/")
    assert (answer.status_code, answer["Location"]) == (301, "https://testserver/receipts/")
    assert faults(answer) == ["hsts"], "which browsers heed over https only"


@pytest.mark.django_db
def test_programs_are_not_led_from_http_to_https_but_told(as_on_the_internet: Any) -> None:
    """A redirect would be followed, and nobody would see that the key went over the wire in the clear."""
    as_on_the_internet.SECURE_SSL_REDIRECT = True
    for path in (
        "/api/v1/jobs",
        "/api/v1/events",
        "/api/schema/",
        "/formula",
        "/payments/webhooks/stripe/",
        "/payments/webhooks/stripe",
    ):
        for method in ("get", "post"):
            answer = getattr(Client(), method)(
                path, headers={"Authorization": "Bearer x"}, content_type="application/json"
            )
            assert (answer.status_code, answer.json()["code"]) == (403, "https_required"), path
            assert (faults(answer), answer.get("Location")) == (["hsts"], None)
    assert Client().get("/api/v1/jobs", secure=True).status_code == 401
    assert Client().get("/api/docs/")["Location"] == "https://testserver/api/docs/"
    thai = Client().get("/api/v1/jobs", headers={"Accept-Language": "th"})
    assert "https" in thai.json()["title"]
    assert thai.json()["title"] != Client().get("/api/v1/jobs").json()["title"]


@pytest.mark.django_db
def test_where_nobody_leads_to_https_programs_are_served(as_on_the_internet: Any) -> None:
    as_on_the_internet.SECURE_SSL_REDIRECT = False
    assert Client().get("/api/v1/jobs").status_code == 401
