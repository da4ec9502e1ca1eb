"""What an open session alone must not do: the password, or the code, once more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest
import time_machine
from django.conf import settings as project
from django.test import Client

from accounts.models import ApiKey, Approval, ApprovalStatus, Session, User, WebhookEndpoint
from accounts.services import second_factors
from accounts.services.api_keys import issue_key
from accounts.services.webhooks import create_endpoint
from audit.models import AuditLog
from core.context import Actor
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)
ASK = "/accounts/again/"


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as moved:
        yield moved


def signed_in(user: User, clock: Any, seconds: int) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    clock.shift(timedelta(seconds=seconds))
    return client


@pytest.fixture
def stale(finance: User, clock: Any) -> Client:
    """Signed in a while ago, and the browser left open."""
    return signed_in(finance, clock, project.STEP_UP_SEC)


@pytest.fixture
def approval() -> Approval:
    return Approval.objects.create(
        act="refund", target=1, label="HPC-1", amount=Decimal(100), currency="THB", asked_by="somebody"
    )


def confirm(client: Client, row: Approval) -> Any:
    form = {"action": "confirm_action", "_selected_action": [row.pk]}
    return client.post("/admin/accounts/approval/", form)


def test_a_second_signature_asks_who_it_is(stale: Client, approval: Approval) -> None:
    answer = confirm(stale, approval)
    assert (answer.status_code, answer["Location"]) == (302, f"{ASK}?next=%2Fadmin%2Faccounts%2Fapproval%2F")
    assert Approval.objects.get().status == ApprovalStatus.OPEN


def test_the_right_password_leads_back_and_suffices_for_a_while(
    stale: Client, approval: Approval, finance: User, clock: Any
) -> None:
    answer = stale.post(ASK, {"password": PASSWORD, "next": "/admin/accounts/approval/"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/accounts/approval/")
    assert confirm(stale, approval).status_code == 200, "the page that asks whether it is meant"
    clock.shift(timedelta(seconds=project.STEP_UP_SEC))
    assert confirm(stale, approval)["Location"].startswith(ASK)
    assert AuditLog.objects.get(action="identity_confirmed").actor == finance.username


def test_a_fresh_sign_in_is_enough(finance: User, approval: Approval, clock: Any) -> None:
    assert confirm(signed_in(finance, clock, project.STEP_UP_SEC - 1), approval).status_code == 200


def test_guesses_are_counted_like_those_at_the_door(stale: Client) -> None:
    answers = [stale.post(ASK, {"password": f"guess-{number}"}).status_code for number in range(5)]
    assert answers == [400, 400, 400, 400, 429]
    assert stale.post(ASK, {"password": PASSWORD}).status_code == 429
    assert "confirmed_at" not in stale.session


def test_who_has_a_second_factor_gives_its_code_and_not_the_password(finance: User, clock: Any) -> None:
    secret = second_factors.new_secret()
    app = pyotp.TOTP(secret)
    second_factors.set_up(actor=Actor(finance.username), user=finance, secret=secret, code=app.now(), keep="")
    client = signed_in(finance, clock, project.STEP_UP_SEC)
    assert client.post(ASK, {"password": PASSWORD}).status_code == 400
    assert client.post(ASK, {"code": app.now(), "next": "/account/"})["Location"] == "/account/"


def test_who_has_no_password_here_is_sent_to_the_provider(finance: User, clock: Any, settings: Any) -> None:
    finance.set_unusable_password()
    finance.save()
    client = signed_in(finance, clock, project.STEP_UP_SEC)
    settings.OIDC_ENABLED, settings.OIDC_NAME = True, "University"
    assert b"Sign in once more with University" in client.get(ASK).content
    settings.OIDC_ENABLED = False
    assert b"sign out and in again" in client.get(ASK).content
    assert client.post(ASK, {"password": ""}).status_code == 200
    assert "confirmed_at" not in client.session


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_it_leads_nowhere_but_here(stale: Client, target: str) -> None:
    answer = stale.post(ASK, {"password": PASSWORD, "next": target})
    assert answer["Location"] == "/"


@pytest.mark.parametrize("target", ["nowhere", "%00", "\nnowhere", "home"])
def test_an_address_that_is_none_of_ours_breaks_nothing(stale: Client, target: str) -> None:
    """It is an address, whatever it looks like, and not the name of a page."""
    answer = stale.post(ASK, {"password": PASSWORD, "next": target})
    assert (answer.status_code, answer["Location"]) == (302, target.replace("\n", "%0A"))


def test_neither_after_the_code_of_a_sign_in(finance: User, clock: Any) -> None:
    secret = second_factors.new_secret()
    app = pyotp.TOTP(secret)
    second_factors.set_up(actor=Actor(finance.username), user=finance, secret=secret, code=app.now(), keep="")
    clock.shift(timedelta(seconds=60))
    client = Client()
    client.post("/accounts/login/?next=nowhere", {"username": finance.username, "password": PASSWORD})
    answer = client.post("/accounts/second-factor/", {"code": app.now()})
    assert (answer.status_code, answer["Location"]) == (302, "nowhere")


@pytest.mark.parametrize("form", [{"email": "thief@example.com"}, {"session": ""}])
def test_address_and_sessions_are_out_of_reach_of_an_open_browser(
    stale: Client, finance: User, form: dict[str, str]
) -> None:
    other = Client()
    other.force_login(finance, backend="django.contrib.auth.backends.ModelBackend")
    answer = stale.post("/account/", form)
    assert answer["Location"] == f"{ASK}?next=%2Faccount%2F"
    assert Session.objects.filter(user=finance).count() == 2
    assert not AuditLog.objects.filter(action__in=("email_change", "session_end")).exists()


class TestWhatOutlivesASession:
    """A key, and an address that gets copies, stay when the session is over."""

    @pytest.fixture
    def endpoint(self, finance: User) -> WebhookEndpoint:
        return create_endpoint(actor=Actor(finance.username), user=finance, url="https://93.184.215.14/hook?key=1")

    @pytest.fixture
    def key(self, finance: User) -> ApiKey:
        return issue_key(actor=Actor(finance.username), name="x", scopes=["usage:read"], user=finance).key

    @pytest.mark.parametrize("page", ["/keys/new/", "/webhooks/new/"])
    def test_is_not_made_by_an_open_browser(self, stale: Client, page: str) -> None:
        for answer in (stale.get(page), stale.post(page, {"name": "x"})):
            assert (answer.status_code, answer["Location"]) == (302, f"{ASK}?{urlencode({'next': page})}")
        stale.post(ASK, {"password": PASSWORD})
        assert stale.get(page).status_code == 200

    def test_is_not_replaced_by_an_open_browser(self, stale: Client, key: ApiKey, endpoint: WebhookEndpoint) -> None:
        for page, act in ((f"/keys/{key.pk}/", "rotate/"), (f"/webhooks/{endpoint.uuid}/", "secret/")):
            answer = stale.post(page + act)
            assert answer["Location"] == f"{ASK}?{urlencode({'next': page})}", "back to a page that can be asked for"
        assert stale.post(f"/webhooks/{endpoint.uuid}/", {"url": "https://93.184.215.15/"})["Location"].startswith(ASK)
        assert (ApiKey.objects.count(), WebhookEndpoint.objects.get().url) == (1, endpoint.url)
        assert stale.post(f"/keys/{key.pk}/revoke/")["Location"] == "/keys/", "closing a door is always free"

    def test_nor_by_its_calls(self, stale: Client, key: ApiKey, endpoint: WebhookEndpoint) -> None:
        hook = f"/api/v1/webhooks/{endpoint.uuid}"
        calls: list[tuple[str, str, Any]] = [
            ("post", "/api/v1/keys", {"name": "x", "scopes": ["usage:read"]}),
            ("post", f"/api/v1/keys/{key.pk}/rotate", {}),
            ("post", "/api/v1/webhooks", {"url": endpoint.url}),
            ("patch", hook, {"url": "https://93.184.215.15/"}),
            ("patch", hook, {"kinds": []}),
            ("post", f"{hook}/rotate", {}),
        ]
        for method, path, body in calls:
            answer = getattr(stale, method)(path, json.dumps(body), content_type="application/json")
            assert (answer.status_code, answer.json()["code"]) == (403, "identity_unconfirmed"), path
        assert stale.patch(hook, json.dumps({"is_active": False}), content_type="application/json").status_code == 200
        stale.post(ASK, {"password": PASSWORD})
        made = stale.post("/api/v1/keys", json.dumps(calls[0][2]), content_type="application/json")
        assert made.status_code == 201

    def test_a_program_with_an_operators_key_is_not_asked(self, finance: User) -> None:
        secret = issue_key(actor=Actor(finance.username), name="x", scopes=["admin:*"], user=finance).secret
        made = Client().post(
            "/api/v1/keys", json.dumps({"name": "y", "scopes": ["usage:read"]}), content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )  # fmt: skip
        assert made.status_code == 201
