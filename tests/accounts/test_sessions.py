"""Signing in and out, changing the password, choosing the language."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client
from django.urls import reverse

from accounts.models import AuthThrottle
from audit.models import AuditLog
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"
CHANGE = "/accounts/password/"


def sign_in(client: Client, username: str = "alice", target: str = "/healthz") -> Any:
    return client.post(LOGIN, {"username": username, "password": PASSWORD, "next": target})


def change(client: Client, old: str, new: str = "a-brand-new-secret") -> Any:
    return client.post(CHANGE, {"old_password": old, "new_password1": new, "new_password2": new})


def test_a_name_in_capitals_signs_in(client: Client, alice: Any) -> None:
    assert sign_in(client, " ALICE ").status_code == 302
    assert client.session[SESSION_KEY] == "alice"


def test_the_session_key_changes_at_sign_in(client: Client, alice: Any) -> None:
    client.get("/healthz")
    session = client.session
    session["before"] = "1"
    session.save()
    key = session.session_key
    client.cookies["sessionid"] = key
    sign_in(client)
    assert client.session.session_key != key


@pytest.mark.parametrize(
    ("target", "safe"),
    [("/accounts/password/", True), ("https://evil.example/", False), ("//evil.example", False),
     ("/\\evil.example", False), ("javascript:alert(1)", False)],
)  # fmt: skip
def test_next_leads_nowhere_but_here(client: Client, alice: Any, target: str, safe: bool, settings: Any) -> None:
    settings.LOGIN_REDIRECT_URL = "/healthz"
    assert sign_in(client, target=target)["Location"] == (target if safe else "/healthz")


def test_signing_out_needs_a_post_and_ends_the_session(client: Client, alice: Any) -> None:
    client.force_login(alice)
    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/").status_code == 302
    assert SESSION_KEY not in client.session


def test_forms_refuse_a_post_without_the_token(alice: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict).status_code == 403
    strict.force_login(alice)
    assert change(strict, PASSWORD).status_code == 403


def test_changing_the_password_keeps_this_session_and_ends_the_others(alice: Any) -> None:
    here, elsewhere = Client(), Client()
    sign_in(here)
    sign_in(elsewhere)
    assert change(here, PASSWORD).status_code == 302
    assert here.get(CHANGE).status_code == 200
    assert elsewhere.get(CHANGE).status_code == 302
    entry = AuditLog.objects.get(action="password_change")
    assert (entry.actor, entry.entity_id) == ("alice", "alice")


def test_a_wrong_old_password_is_said_in_words_and_changes_nothing(client: Client, alice: Any) -> None:
    client.force_login(alice)
    answer = change(client, "not-it")
    assert answer.status_code == 200
    assert "old_password" in answer.context["form"].errors
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert not AuditLog.objects.filter(action="password_change").exists()


def test_guesses_at_the_old_password_are_counted_and_lock_like_the_login(client: Client, alice: Any) -> None:
    client.force_login(alice)
    assert [change(client, f"guess-{number}").status_code for number in range(5)] == [200, 200, 200, 200, 429]
    answer = change(client, PASSWORD)
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert "accounts/locked.html" in [template.name for template in answer.templates]
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert sign_in(Client()).status_code == 429, "one counter for both doors"
    refused = AuditLog.objects.filter(action="password_refused")
    assert [(row.actor, row.target) for row in refused] == [("alice", "alice")] * 5
    assert "guess-" not in str(list(AuditLog.objects.values()))


@pytest.mark.parametrize("new", ["short", "a-brand-new-secret"])
def test_the_right_old_password_clears_the_counter_whatever_the_new_one(client: Client, alice: Any, new: str) -> None:
    client.force_login(alice)
    for number in range(4):
        change(client, f"guess-{number}")
    change(client, PASSWORD, new)
    assert not AuthThrottle.objects.exists()


def test_a_form_sent_empty_is_no_guess(client: Client, alice: Any) -> None:
    client.force_login(alice)
    assert {change(client, "").status_code for _ in range(7)} == {200}


@pytest.mark.parametrize("weak", ["short", "1234567890123", "password1234"])
def test_a_weak_new_password_is_refused(client: Client, alice: Any, weak: str) -> None:
    client.force_login(alice)
    assert change(client, PASSWORD, weak).context["form"].errors


def test_a_stranger_to_the_console_is_told_so_instead_of_sent_round(client: Client, alice: Any) -> None:
    client.force_login(alice)
    answer = client.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0] == "/accounts/login/?next=%2Fadmin%2F"
    assert b"You are signed in as alice" in answer.content


def test_the_language_is_remembered_for_the_next_sign_in(client: Client, alice: Any) -> None:
    client.force_login(alice)
    client.post(reverse("set_language"), {"language": "th", "next": "/accounts/login/"})
    alice.refresh_from_db()
    assert alice.language == "th"
    fresh = Client()
    sign_in(fresh, target=CHANGE)
    assert fresh.get(CHANGE)["Content-Language"] == "th"


def test_the_language_switch_follows_a_safe_next_and_ignores_an_unknown_language(client: Client, alice: Any) -> None:
    client.force_login(alice)
    answer = client.post(reverse("set_language"), {"language": "xx", "next": "https://evil.example/"})
    assert "evil" not in answer["Location"]
    alice.refresh_from_db()
    assert alice.language == ""
    assert client.get(reverse("set_language")).status_code == 405
