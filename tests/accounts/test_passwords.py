"""Passwords: no words that everybody knows, no rules of composition, and none that somebody else chose."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from accounts.models.users import chosen_by_another
from accounts.services.users import bootstrap_admin
from accounts.sign_in.passwords import WORDS, SiteWordsValidator, site_words
from core.context import SYSTEM
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
def test_what_somebody_else_chose_ends_after_a_week(boss: Client, alice: User) -> None:
    form = {"usable_password": "true", "password1": CHOSEN, "password2": CHOSEN}
    boss.post("/admin/accounts/user/alice/password/", form)
    now = timezone.now()
    with time_machine.travel(now + timedelta(days=6)):
        assert "_auth_user_id" in sign_in("alice", CHOSEN).session
    with time_machine.travel(now + timedelta(days=8)):
        visitor = Client()
        refused = visitor.post("/accounts/login/", {"username": "alice", "password": CHOSEN})
        assert "its week is over" in refused.content.decode()
        assert "_auth_user_id" not in visitor.session
        boss.force_login(User.objects.get(is_superuser=True), backend="django.contrib.auth.backends.ModelBackend")
        boss.post("/admin/accounts/user/alice/password/", form)
        assert "_auth_user_id" in sign_in("alice", CHOSEN).session, "set once more, for another week"
        new = {"old_password": CHOSEN, "new_password1": "mine-alone-4711", "new_password2": "mine-alone-4711"}
        sign_in("alice", CHOSEN).post("/accounts/password/", new)
    with time_machine.travel(now + timedelta(days=400)):
        assert "_auth_user_id" in sign_in("alice", "mine-alone-4711").session, "one's own does not end"


@pytest.mark.django_db
def test_an_administrator_whose_password_another_one_chose_is_reset_by_the_operator_for_good(superuser: User) -> None:
    User.objects.create_superuser("admin", CHOSEN, **chosen_by_another())
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        bootstrap_admin(actor=SYSTEM, password="the-operators-own-4711", reset=True)
        visitor = sign_in("admin", "the-operators-own-4711")
        assert visitor.get("/admin/").status_code == 200


@pytest.mark.django_db
def test_so_does_the_first_one_of_a_new_user_and_not_one_s_own(boss: Client, superuser: User) -> None:
    form = {"username": "newcomer", "role": "user", "usable_password": "true", "password1": CHOSEN, "password2": CHOSEN}
    assert boss.post("/admin/accounts/user/add/", form).status_code == 302
    assert User.objects.get(pk="newcomer").must_change_password
    own = {"usable_password": "true", "password1": CHOSEN, "password2": CHOSEN}
    assert boss.post(f"/admin/accounts/user/{superuser.pk}/password/", own).status_code == 302
    assert not User.objects.get(pk=superuser.pk).must_change_password
    assert PASSWORD != CHOSEN
