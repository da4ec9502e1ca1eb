"""Signing in by the identity provider: who becomes which user, what a role comes from, and what ends it."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pyotp
import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import Identity, User
from accounts.services import second_factors
from accounts.sign_in.second_factor import DONE
from accounts.sso.claims import groups_of
from audit.models import AuditLog
from core.context import Actor
from tests.accounts.sso.provider import CLIENT, ISSUER, Provider
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
START, CALLBACK = "/accounts/sso/", "/accounts/sso/callback/"


def begin(client: Client, to: str = "/usage/") -> str:
    """The address at the provider to which the button leads."""
    answer = client.post(START, {"next": to})
    assert answer.status_code == 302, answer.content
    return str(answer["Location"])


def come_back(client: Client, address: str) -> Any:
    parts = urlsplit(address)
    return client.get(parts.path, dict(parse_qsl(parts.query)))


def sign_in(provider: Provider, client: Client | None = None, to: str = "/usage/") -> tuple[Client, Any]:
    client = client or Client()
    return client, come_back(client, provider.authorize(begin(client, to)))


def who(client: Client) -> str:
    return str(client.session.get("_auth_user_id", ""))


def test_the_button_stands_on_the_page_in_both_languages(idp: Provider) -> None:
    assert "Sign in with Campus" in Client().get("/accounts/login/").content.decode()
    page = Client(headers={"Accept-Language": "th"}).get("/accounts/login/").content.decode()
    assert f'action="{START}"' in page
    assert "Campus" in page


def test_somebody_new_becomes_a_user_without_rights_and_without_a_password(idp: Provider) -> None:
    client, answer = sign_in(idp)
    assert (answer.status_code, answer["Location"]) == (302, "/usage/")
    user = User.objects.get()
    assert who(client) == user.username == "newcomer"
    assert (user.role, user.is_superuser, user.has_usable_password()) == ("user", False, False)
    assert client.get("/usage/").status_code == 200
    actions = list(AuditLog.objects.exclude(action="rate_update").order_by("id").values_list("action", flat=True))
    assert actions == ["sso_user", "sso_login", "login_success"]


def test_what_is_sent_to_the_provider(idp: Provider) -> None:
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begin(Client())).query).items()}
    assert asked["client_id"] == CLIENT
    assert asked["redirect_uri"] == f"http://testserver{CALLBACK}"
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}
    assert asked["code_challenge_method"] == "S256"
    assert min(len(asked["state"]), len(asked["nonce"]), len(asked["code_challenge"])) >= 43


def test_the_callback_address_is_the_sites_own_whatever_host_is_asked_for(idp: Provider) -> None:
    asked = parse_qs(urlsplit(Client(headers={"Host": "localhost"}).post(START)["Location"]).query)
    assert asked["redirect_uri"] == [f"http://testserver{CALLBACK}"]


def test_the_same_person_is_the_same_user_under_a_new_name(idp: Provider) -> None:
    sign_in(idp)
    idp.claims["preferred_username"] = "renamed"
    client, _answer = sign_in(idp)
    assert who(client) == "newcomer"
    assert User.objects.count() == 1


def test_a_user_that_is_here_already_is_not_taken_over_by_name(idp: Provider, alice: Any) -> None:
    idp.claims["preferred_username"] = "alice"
    client, answer = sign_in(idp)
    assert answer.status_code == 403
    assert who(client) == ""
    assert AuditLog.objects.get(action="sso_refused").extra == {"reason": "name_taken"}


@pytest.mark.parametrize("verified", [True, False, "true", 1, None])
def test_nor_by_e_mail_verified_or_not(idp: Provider, alice: Any, verified: object) -> None:
    Identity.objects.create(user=alice, email="alice@example.ac.th")
    idp.claims |= {"email": "alice@example.ac.th", "email_verified": verified}
    client, _answer = sign_in(idp)
    assert who(client) == "newcomer"


def test_where_the_names_are_the_same_people_a_user_is_linked_once(idp: Provider, alice: Any, settings: Any) -> None:
    settings.OIDC_LINK_USERS = True
    idp.claims["preferred_username"] = "Alice"
    assert who(sign_in(idp)[0]) == "alice"
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD), "the password works on"
    idp.claims["sub"] = "s-2"
    client, answer = sign_in(idp)
    assert (who(client), answer.status_code) == ("", 403), "another subject of the same name is somebody else"


def test_a_superuser_is_never_linked(idp: Provider, superuser: Any, settings: Any) -> None:
    settings.OIDC_LINK_USERS = True
    idp.claims["preferred_username"] = "root"
    assert sign_in(idp)[1].status_code == 403


def test_where_nobody_is_made_a_stranger_stays_outside(idp: Provider, settings: Any) -> None:
    settings.OIDC_CREATE_USERS = False
    assert sign_in(idp)[1].status_code == 403
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "name", [None, "", "with space", "a/b", "x" * 65, "аlice", "ali\u200bce", 5, ["alice"], "a\0b"]
)
def test_a_name_that_is_no_slurm_login_makes_no_user(idp: Provider, name: object) -> None:
    idp.claims["preferred_username"] = name
    assert sign_in(idp)[1].status_code == 403
    assert not User.objects.exists()


def test_an_inactive_user_stays_outside(idp: Provider) -> None:
    sign_in(idp)
    User.objects.update(is_active=False)
    client, answer = sign_in(idp)
    assert (who(client), answer.status_code) == ("", 403)


# --- roles -----------------------------------------------------------------------
def roles(username: str) -> tuple[str, list[str]]:
    user = User.objects.get(pk=username)
    return user.role, sorted(user.groups.values_list("name", flat=True))


def test_roles_come_from_the_list_alone_and_go_again(idp: Provider, settings: Any) -> None:
    settings.OIDC_GROUP_ROLES = {"hpc-finance": "Finance", "hpc-audit": "Auditor"}
    idp.claims["groups"] = ["hpc-finance", "Admin", "admin", "superuser", "Finance"]
    sign_in(idp)
    assert roles("newcomer") == ("admin", ["Finance"])
    idp.claims["groups"] = ["hpc-audit"]
    sign_in(idp)
    assert roles("newcomer") == ("admin", ["Auditor"])
    idp.claims["groups"] = []
    sign_in(idp)
    assert roles("newcomer") == ("user", [])
    assert AuditLog.objects.filter(action="sso_roles").count() == 3
    assert not User.objects.get().is_superuser


def test_a_role_that_was_taken_here_does_not_come_back_with_a_group_that_was_given_here(
    idp: Provider, settings: Any
) -> None:
    settings.OIDC_GROUP_ROLES = {"hpc-finance": "Finance"}
    sign_in(idp)
    User.objects.get(pk="newcomer").groups.add(Group.objects.get(name="Operator"))
    sign_in(idp)
    assert roles("newcomer") == ("user", ["Operator"])
    idp.claims["groups"] = ["hpc-finance"]
    sign_in(idp)
    assert roles("newcomer") == ("admin", ["Finance", "Operator"])


def test_without_a_list_groups_of_theirs_give_nothing(idp: Provider) -> None:
    idp.claims["groups"] = ["Finance", "Admin"]
    sign_in(idp)
    assert roles("newcomer") == ("user", [])


@pytest.mark.parametrize("value", [None, 5, {"hpc": 1}, [["hpc"]], [None, 5], "other", ["hpc "] * 3])
def test_a_claim_of_another_form_gives_no_role(settings: Any, value: object) -> None:
    settings.OIDC_GROUP_ROLES = {"hpc": "Finance"}
    assert groups_of(value) == frozenset()
    assert groups_of("hpc") == groups_of(["hpc"]) == {"Finance"}


# --- second factor, end -----------------------------------------------------------
def test_a_second_factor_set_up_here_is_asked_for(idp: Provider) -> None:
    sign_in(idp)
    secret = second_factors.new_secret()
    user, app = User.objects.get(), pyotp.TOTP(secret)
    earlier = app.at(time.time() - 30)
    second_factors.set_up(actor=Actor("newcomer"), user=user, secret=secret, code=earlier, keep="")
    client, answer = sign_in(idp)
    assert answer["Location"] == "/accounts/second-factor/"
    assert who(client) == ""
    assert client.post("/accounts/second-factor/", {"code": app.now()})["Location"] == "/usage/"
    assert who(client) == "newcomer"


@pytest.mark.parametrize(("amr", "counts"), [(["pwd", "otp"], True), (["pwd"], False), ("otp", False), (None, False)])
def test_the_providers_second_factor_counts_where_it_says_so(
    idp: Provider, settings: Any, amr: object, counts: bool
) -> None:
    settings.OIDC_SECOND_FACTOR_AMR = ["otp"]
    idp.claims["amr"] = amr
    client, _answer = sign_in(idp)
    assert bool(client.session.get(DONE)) is counts


def test_signing_out_ends_it_there_too(idp: Provider) -> None:
    client, _answer = sign_in(idp)
    answer = client.post("/accounts/logout/")
    assert who(client) == ""
    left = urlsplit(answer["Location"])
    assert f"{left.scheme}://{left.netloc}{left.path}" == f"{ISSUER}/logout"
    assert parse_qs(left.query) == {
        "client_id": [CLIENT], "post_logout_redirect_uri": ["http://testserver/accounts/login/"]
    }  # fmt: skip


def test_off_there_is_no_such_page(settings: Any, db: None) -> None:
    settings.OIDC_ENABLED = False
    assert Client().post(START).status_code == Client().get(CALLBACK).status_code == 404
    assert "Campus" not in Client().get("/accounts/login/").content.decode()
