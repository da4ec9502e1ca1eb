"""Passwords: no words that everybody knows, no rules of composition, and none that somebody else chose."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from accounts.passwords import WORDS, SiteWordsValidator, site_words
from tests.conftest import PASSWORD

CHOSEN = "chosen-by-finance-77"


@pytest.mark.parametrize(
    "password",
    ["hpcbilling2026", "Slurm-Cluster-1", "Nakhon.University1", "billing.nakhon", "somchai-2026", "ADMIN-password!"],
)
def test_little_more_than_the_words_of_the_site_is_refused(password: str, settings: Any) -> None:
    settings.ORG_NAME, settings.SITE_BASE_URL = "Nakhon University", "https://billing.nakhon.example"
    with pytest.raises(ValidationError, match="little more than the name"):
        SiteWordsValidator().validate(password, User(username="somchai"))


@pytest.mark.parametrize("password", ["slurm-verylongsecret", "correct horse battery", "7204918365502", "ๆไำพะัีรนย"])
def test_what_has_enough_of_its_own_is_taken_whatever_it_is_made_of(password: str) -> None:
    validate_password(password, User(username="somchai"))


@given(st.text(min_size=1, max_size=40))
def test_a_password_without_those_words_is_none_of_its_business(password: str) -> None:
    if not any(word in password.casefold() for word in (*WORDS, *site_words())):
        SiteWordsValidator().validate(password, User(username="x"))


@pytest.fixture
def boss(client: Client, superuser: User) -> Client:
    client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    return client


def sign_in(name: str, password: str) -> Client:
    client = Client()
    client.post("/accounts/login/", {"username": name, "password": password})
    return client


@pytest.mark.django_db
def test_a_password_that_an_administrator_chose_opens_nothing_but_the_page_that_changes_it(
    boss: Client, alice: User
) -> None:
    form = {"usable_password": "true", "password1": CHOSEN, "password2": CHOSEN}
    assert boss.post("/admin/accounts/user/alice/password/", form).status_code == 302
    visitor = sign_in("alice", CHOSEN)
    assert visitor.get("/usage/")["Location"] == "/accounts/password/"
    assert visitor.get("/api/v1/jobs").json()["code"] == "password_change_required"
    assert b"Somebody else chose your password" in visitor.get("/accounts/password/").content
    new = {"old_password": CHOSEN, "new_password1": "mine-alone-4711", "new_password2": "mine-alone-4711"}
    assert visitor.post("/accounts/password/", new).status_code == 302
    assert visitor.get("/usage/").status_code == 200


@pytest.mark.django_db
def test_so_does_the_first_one_of_a_new_user_and_not_one_s_own(boss: Client, superuser: User) -> None:
    form = {"username": "newcomer", "role": "user", "usable_password": "true", "password1": CHOSEN, "password2": CHOSEN}
    assert boss.post("/admin/accounts/user/add/", form).status_code == 302
    assert User.objects.get(pk="newcomer").must_change_password
    own = {"usable_password": "true", "password1": CHOSEN, "password2": CHOSEN}
    assert boss.post(f"/admin/accounts/user/{superuser.pk}/password/", own).status_code == 302
    assert not User.objects.get(pk=superuser.pk).must_change_password
    assert PASSWORD != CHOSEN
