"""A new user chooses the first password, by a link that goes to the address: nobody else has ever known it.

If this broke, whoever makes users could sign in as them, or a new user could not sign in at all.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import EmailNotification, Identity, User
from audit.models import AuditLog

pytestmark = pytest.mark.django_db
ADD, NEW = "/admin/accounts/user/add/", "slow-otter-swims-at-dawn"
FORM = {"username": "newcomer", "role": "user", "usable_password": "link", "email": "new@lab.example"}


@pytest.fixture
def boss(client: Client, superuser: User) -> Client:
    client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    return client


def add(boss: Client, **fields: str) -> Any:
    return boss.post(ADD, {**FORM, **fields})


def link() -> str:
    found = re.search(r"http://testserver(/accounts/reset/\S+/)", EmailNotification.objects.get().body_text)
    assert found
    return found[1]


def choose(at: str) -> Any:
    return Client().post(at, {"new_password1": NEW, "new_password2": NEW})


def may_enter(password: str) -> bool:
    return bool(Client().post("/accounts/login/", {"username": "newcomer", "password": password}).status_code == 302)


def test_the_link_lets_its_user_choose_and_sign_in_without_changing_it_again(boss: Client) -> None:
    assert add(boss).status_code == 302
    user = User.objects.get(pk="newcomer")
    assert user.must_change_password
    assert user.has_usable_password()
    sent = EmailNotification.objects.get()
    assert (sent.kind, sent.recipient_email) == ("password_first", "new@lab.example")
    assert Identity.objects.get(user=user).email == "new@lab.example"
    at = link()
    assert choose(at).status_code == 302
    visitor = Client()
    visitor.post("/accounts/login/", {"username": "newcomer", "password": NEW})
    assert visitor.get("/usage/").status_code == 200
    assert choose(at).status_code == 404  # once


@pytest.mark.parametrize(("days", "status"), [(6.5, 302), (7.5, 404)])
def test_it_is_good_for_a_week(boss: Client, days: float, status: int) -> None:
    add(boss)
    at = link()
    with time_machine.travel(timezone.now() + timedelta(days=days), tick=False):
        assert choose(at).status_code == status


def test_who_let_it_run_out_asks_for_another_one(boss: Client) -> None:
    add(boss)
    with time_machine.travel(timezone.now() + timedelta(days=30), tick=False):
        Client().post("/accounts/forgotten/", {"username": "newcomer"})
    assert EmailNotification.objects.filter(kind="password_reset", recipient_email="new@lab.example").exists()


def test_nobody_knows_the_password_before_not_even_from_the_form(boss: Client) -> None:
    add(boss, password1="what-the-boss-typed-1", password2="what-the-boss-typed-1")
    assert not may_enter("what-the-boss-typed-1")


def test_what_was_typed_before_the_link_was_chosen_does_not_matter(boss: Client) -> None:
    """Its fields are hidden then: an error there would be one that nobody sees."""
    assert add(boss, password1="short", password2="other").status_code == 302


@pytest.mark.parametrize(("address", "words"), [("", "The link needs an address"), ("no address", "valid email")])
def test_without_an_address_nobody_is_made(boss: Client, address: str, words: str) -> None:
    answer = add(boss, email=address)
    assert words in answer.content.decode()
    assert not User.objects.filter(pk="newcomer").exists()
    assert not EmailNotification.objects.exists()


def test_in_the_language_of_who_makes_the_user_as_long_as_that_one_has_said_nothing(boss: Client) -> None:
    boss.post(ADD, FORM, headers={"accept-language": "th"})
    assert EmailNotification.objects.get().language == "th"


def test_an_address_may_be_given_beside_a_password_that_is_set_here(boss: Client) -> None:
    add(boss, usable_password="true", password1=NEW, password2=NEW)
    assert Identity.objects.get(user="newcomer").email == "new@lab.example"
    assert not EmailNotification.objects.exists()


def test_the_log_says_that_a_link_went_out_and_never_where_it_leads(boss: Client) -> None:
    add(boss)
    rows = AuditLog.objects.filter(target="newcomer")
    assert "password_first_link" in rows.values_list("action", flat=True)
    assert not any("new@lab.example" in str(row.extra) or "/reset/" in str(row.extra) for row in rows)
