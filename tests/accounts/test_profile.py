"""My account: prices and why, and every place where I am signed in."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Session
from accounts.services.sessions import end_sessions
from audit.models import AuditLog
from core.context import Actor
from tests.conftest import PASSWORD
from tests.factories import account_tier, make_job

pytestmark = pytest.mark.django_db
BROWSER = {"user-agent": "Firefox <b>on a phone</b>"}


def signed_in(username: str, **headers: str) -> Client:
    client = Client(headers=headers)
    assert client.post("/accounts/login/", {"username": username, "password": PASSWORD}).status_code == 302
    return client


def test_each_slurm_account_shows_its_tier_the_reason_and_the_prices(alice: Any) -> None:
    account_tier("physics", "mu")
    make_job(account="physics")
    make_job(account="chemistry")
    page = signed_in("alice").get("/account/").content.decode()
    assert "rule 1: account physics" in page or "account physics" in page
    assert page.count('<th scope="row"') >= 3
    assert "chemistry" in page


def test_somebody_without_jobs_sees_what_they_would_pay(alice: Any) -> None:
    assert signed_in("alice").get("/account/").status_code == 200


def test_sessions_are_listed_with_address_and_browser_and_never_with_their_key(alice: Any) -> None:
    here, there = signed_in("alice"), signed_in("alice", **BROWSER)
    page = here.get("/account/").content.decode()
    assert "Firefox" in page, "the browser by its name"
    assert "<b>on a phone</b>" not in page
    assert "127.0.0.1" in page
    for client in (here, there):
        assert client.session.session_key not in page
    assert page.count('name="session"') == 1, "this session is not offered"


def test_ending_one_session_ends_that_one_alone(alice: Any) -> None:
    here, there, third = (signed_in("alice") for _n in range(3))
    handle = Session.objects.get(session_key=there.session.session_key).handle
    here.post("/account/", {"session": handle})
    assert there.get("/account/").status_code == 302
    assert third.get("/account/").status_code == here.get("/account/").status_code == 200
    assert AuditLog.objects.filter(action="session_end", actor="alice").count() == 1


def test_ending_all_others_keeps_this_one(alice: Any, bob: Any) -> None:
    here, there, stranger = signed_in("alice"), signed_in("alice"), signed_in("bob")
    here.post("/account/")
    assert there.get("/account/").status_code == 302
    assert here.get("/account/").status_code == stranger.get("/account/").status_code == 200


def test_nobody_ends_somebody_elses_session(alice: Any, bob: Any) -> None:
    stranger = signed_in("bob")
    handle = Session.objects.get(session_key=stranger.session.session_key).handle
    signed_in("alice").post("/account/", {"session": handle})
    assert stranger.get("/account/").status_code == 200
    assert end_sessions(actor=Actor("alice"), user=alice, keep="", handle=handle) == 0


def test_a_session_before_sign_in_belongs_to_nobody_and_gets_a_new_key(alice: Any, client: Any) -> None:
    session = client.session
    session["x"] = 1
    session.save()
    assert Session.objects.get().user is None
    before = client.session.session_key
    client.post("/accounts/login/", {"username": "alice", "password": PASSWORD})
    assert client.session.session_key != before
    assert Session.objects.get().user_id == "alice"


def test_strangers_are_sent_to_sign_in(client: Any) -> None:
    assert client.get("/account/")["Location"].startswith("/accounts/login/")
