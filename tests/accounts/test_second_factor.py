"""The second factor: set up, asked for, taken once, guessed at in vain, lost, and demanded of roles."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import time_machine
from django.test import Client

from accounts.models import RecoveryCode, SecondFactor, Session
from accounts.roles import GROUPS
from accounts.services import second_factors
from accounts.sign_in.sessions import SINCE
from audit.models import AuditLog
from core.context import Actor
from hpcbilling.environment import GROUP_NAMES
from tests.conftest import PASSWORD
from tests.pages.conftest import read, text
from tests.races import at_once

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)
LOGIN, ASK, SETUP, CHANGE = (
    "/accounts/login/",
    "/accounts/second-factor/",
    "/accounts/second-factor/setup/",
    "/accounts/second-factor/change/",
)


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as moved:
        yield moved


def enrol(user: Any) -> tuple[pyotp.TOTP, list[str]]:
    secret = second_factors.new_secret()
    app = pyotp.TOTP(secret)
    codes = second_factors.set_up(actor=Actor(user.username), user=user, secret=secret, code=app.now(), keep="")
    return app, codes


def password_given(name: str = "alice", to: str = "/usage/") -> tuple[Client, Any]:
    client = Client()
    return client, client.post(LOGIN, {"username": name, "password": PASSWORD, "next": to})


def later(clock: Any, app: pyotp.TOTP) -> str:
    """A code that was not used yet."""
    clock.shift(timedelta(seconds=30))
    return app.now()


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_setting_it_up_takes_password_and_code_and_shows_the_codes_once(alice: Any) -> None:
    client, _answer = password_given()
    page = client.get(SETUP)
    assert page["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    assert read(page).styles == read(page).inline_scripts == []
    assert '<svg class="qr" role="img"' in page.content.decode()
    secret = re.search(r"<code>(\w{32})</code>", page.content.decode())
    assert secret
    code = pyotp.TOTP(secret[1]).now()
    assert client.post(SETUP, {"password": "wrong", "code": code}).status_code == 400
    assert client.post(SETUP, {"password": PASSWORD, "code": "000000"}).status_code == 400
    assert not SecondFactor.objects.exists()
    shown = client.post(SETUP, {"password": PASSWORD, "code": code})
    codes = re.findall(r"<code>([\w-]{29})</code>", shown.content.decode())
    assert len(set(codes)) == 10
    assert not any(code in client.get(SETUP).content.decode() for code in codes)
    stored = " ".join(RecoveryCode.objects.values_list("code_hash", flat=True))
    assert not any(second_factors.plain(code) in stored for code in codes)
    assert not any(second_factors.plain(code) in str(list(AuditLog.objects.values())) for code in (*codes, secret[1]))


def test_the_key_of_the_app_is_another_for_everybody_and_long(alice: Any) -> None:
    assert len({second_factors.new_secret() for _ in range(50)}) == 50
    assert len(second_factors.new_secret()) * 5 >= 160


def test_a_right_password_alone_signs_nobody_in(alice: Any, clock: Any) -> None:
    app, _codes = enrol(alice)
    client, answer = password_given()
    assert (answer.status_code, answer["Location"]) == (302, ASK)
    assert not signed_in(client)
    assert client.get("/usage/").status_code == 302
    before = client.session.session_key
    done = client.post(ASK, {"code": later(clock, app)})
    assert (done.status_code, done["Location"]) == (302, "/usage/")
    assert signed_in(client)
    assert client.session.session_key != before


def test_next_leads_to_this_site_alone(alice: Any, clock: Any) -> None:
    app, _codes = enrol(alice)
    client, _answer = password_given(to="https://evil.example/")
    assert client.post(ASK, {"code": later(clock, app)})["Location"] == "/"


def test_a_code_works_once(alice: Any, clock: Any) -> None:
    app, _codes = enrol(alice)
    code = later(clock, app)
    first, second = password_given()[0], password_given()[0]
    assert first.post(ASK, {"code": code}).status_code == 302
    assert second.post(ASK, {"code": code}).status_code == 400
    assert not signed_in(second)


@pytest.mark.parametrize(("seconds", "status"), [(-60, 400), (-30, 302), (0, 302), (30, 302), (60, 400)])
def test_a_clock_may_be_one_step_away(alice: Any, clock: Any, seconds: int, status: int) -> None:
    app, _codes = enrol(alice)
    clock.shift(timedelta(minutes=5))
    client, _answer = password_given()
    code = app.at(NOON + timedelta(minutes=5, seconds=seconds))
    assert client.post(ASK, {"code": code}).status_code == status


def test_an_earlier_code_than_the_last_is_not_taken(alice: Any, clock: Any) -> None:
    app, _codes = enrol(alice)
    clock.shift(timedelta(minutes=5))
    earlier, now = app.at(NOON + timedelta(minutes=5, seconds=-30)), app.now()
    assert second_factors.check(actor=Actor("alice"), user=alice, code=now)
    assert not second_factors.check(actor=Actor("alice"), user=alice, code=earlier)


def test_a_recovery_code_works_once_however_it_is_typed(alice: Any) -> None:
    _app, codes = enrol(alice)
    typed = codes[0].upper().replace("-", " ")
    first, second = password_given()[0], password_given()[0]
    assert first.post(ASK, {"code": typed}).status_code == 302
    assert second.post(ASK, {"code": codes[0]}).status_code == 400
    assert AuditLog.objects.get(action="recovery_code_used").extra == {"left": 9}


@pytest.mark.django_db(transaction=True)
def test_a_code_that_is_sent_ten_times_at_once_works_once(make_user: Any, clock: Any) -> None:
    alice = make_user("alice")
    app, codes = enrol(alice)
    for code in (later(clock, app), codes[0]):
        taken = at_once(
            10, lambda _number, code=code: second_factors.check(actor=Actor("alice"), user=alice, code=code)
        )
        assert taken.count(True) == 1


def test_guesses_are_counted_like_passwords_and_the_password_does_not_clear_them(alice: Any, clock: Any) -> None:
    app, _codes = enrol(alice)
    statuses = []
    for number in range(6):
        client, answer = password_given()
        statuses.append(
            answer.status_code if answer.status_code == 429 else client.post(ASK, {"code": f"{number:06d}"}).status_code
        )
    assert statuses == [400] * 4 + [429] * 2
    clock.shift(timedelta(seconds=901))
    client, _answer = password_given()
    assert client.post(ASK, {"code": app.now()}).status_code == 302


def test_between_password_and_code_lie_ten_minutes_at_most(alice: Any, clock: Any) -> None:
    app, _codes = enrol(alice)
    client, _answer = password_given()
    clock.shift(timedelta(seconds=601))
    assert client.post(ASK, {"code": app.now()})["Location"] == LOGIN
    assert not signed_in(client)


def test_nobody_gets_to_the_question_without_a_password(client: Client, alice: Any) -> None:
    enrol(alice)
    assert client.get(ASK)["Location"] == LOGIN
    assert client.post(ASK, {"code": "123456"})["Location"] == LOGIN


def test_whoever_became_inactive_meanwhile_is_not_signed_in(alice: Any, clock: Any) -> None:
    app, _codes = enrol(alice)
    client, _answer = password_given()
    alice.is_active = False
    alice.save()
    assert client.post(ASK, {"code": later(clock, app)})["Location"] == LOGIN


def test_what_was_begun_with_the_old_password_ends_with_it(alice: Any, clock: Any) -> None:
    app, codes = enrol(alice)
    client, _answer = password_given()
    alice.set_password("another-Password-7")
    alice.save()
    assert client.post(ASK, {"code": later(clock, app)})["Location"] == LOGIN
    assert client.post(ASK, {"code": codes[0]})["Location"] == LOGIN
    assert not signed_in(client)
    assert RecoveryCode.objects.filter(used_at=None).count() == len(codes)


def test_setting_it_up_ends_the_other_sessions(alice: Any) -> None:
    elsewhere, here = password_given()[0], password_given()[0]
    secret = second_factors.new_secret()
    second_factors.set_up(
        actor=Actor("alice"), user=alice, secret=secret, code=pyotp.TOTP(secret).now(), keep=here.session.session_key
    )  # fmt: skip
    assert elsewhere.get("/usage/").status_code == 302
    assert here.get("/usage/").status_code == 200


def test_removing_it_takes_a_code(alice: Any, clock: Any) -> None:
    app, _codes = enrol(alice)
    client, _answer = password_given()
    client.post(ASK, {"code": later(clock, app)})
    assert client.post(CHANGE, {"act": "remove", "code": "000000"}).status_code == 400
    assert SecondFactor.objects.exists()
    client.post(CHANGE, {"act": "remove", "code": later(clock, app)})
    assert not SecondFactor.objects.exists()
    assert not RecoveryCode.objects.exists()


def test_new_recovery_codes_end_the_old_ones(alice: Any, clock: Any) -> None:
    app, old = enrol(alice)
    client, _answer = password_given()
    client.post(ASK, {"code": later(clock, app)})
    page = client.post(CHANGE, {"act": "codes", "code": later(clock, app)}).content.decode()
    new = re.findall(r"<code>([\w-]{29})</code>", page)
    assert len(new) == 10
    assert not second_factors.check(actor=Actor("alice"), user=alice, code=old[0])
    assert second_factors.check(actor=Actor("alice"), user=alice, code=new[0])


# --- demanded of roles ---------------------------------------------------------
def test_a_role_that_needs_one_gets_no_further_without(finance: Any, alice: Any, settings: Any, clock: Any) -> None:
    settings.MFA_REQUIRED_ROLES = ["finance"]
    client, _answer = password_given("fin")
    for path in ("/", "/admin/", "/usage/", "/admin/billing/receipt/", "/keys/new/"):
        assert client.get(path)["Location"] == SETUP, path
    refused = client.get("/api/v1/receipts")
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    assert client.get(SETUP).status_code == 200
    assert client.post("/accounts/logout/").status_code == 302
    others, _answer = password_given("alice")
    assert others.get("/usage/").status_code == 200


def test_nobody_passes_with_the_code_of_somebody_else(finance: Any, alice: Any, settings: Any) -> None:
    """Two passwords in one browser: the code of the first one is none of the second one."""
    settings.MFA_REQUIRED_ROLES = ["finance"]
    _app, codes = enrol(alice)
    client, answer = password_given("alice")
    assert answer["Location"] == ASK
    client.post(LOGIN, {"username": "fin", "password": PASSWORD})
    assert client.post(ASK, {"code": codes[0]})["Location"] == LOGIN
    assert client.get("/admin/")["Location"] == SETUP


def test_an_old_session_alone_sets_none_up_where_there_is_no_password(alice: Any) -> None:
    alice.set_unusable_password()
    alice.save()
    client = Client()
    client.force_login(alice)
    session = client.session
    session[SINCE] = int(time.time()) - 7200
    session.save()
    assert "/accounts/again/" in client.get(SETUP)["Location"]
    assert "/accounts/again/" in client.post(SETUP, {"code": "123456"})["Location"]


def test_once_given_the_role_works_and_cannot_remove_it(finance: Any, settings: Any, clock: Any) -> None:
    settings.MFA_REQUIRED_ROLES = ["finance"]
    app, _codes = enrol(finance)
    client, _answer = password_given("fin", "/admin/")
    client.post(ASK, {"code": later(clock, app)})
    assert client.get("/admin/").status_code == 200
    client.post(CHANGE, {"act": "remove", "code": later(clock, app)})
    assert SecondFactor.objects.exists()


def test_whoever_gets_the_role_later_is_asked_at_once(make_user: Any, settings: Any) -> None:
    from django.contrib.auth.models import Group

    settings.MFA_REQUIRED_ROLES = ["finance"]
    user = make_user("new", role="admin", groups=["Support"])
    client, _answer = password_given("new")
    assert client.get("/admin/").status_code == 200
    user.groups.add(Group.objects.get(name="Finance"))
    assert client.get("/admin/")["Location"] == SETUP


def test_a_session_from_before_the_second_factor_is_asked_for_it(finance: Any, settings: Any, clock: Any) -> None:
    client = Client()
    client.force_login(finance, backend="django.contrib.auth.backends.ModelBackend")
    key = client.session.session_key
    secret = second_factors.new_secret()
    app = pyotp.TOTP(secret)
    second_factors.set_up(actor=Actor("fin"), user=finance, secret=secret, code=app.now(), keep=key)
    settings.MFA_REQUIRED_ROLES = ["finance"]
    assert client.get("/admin/")["Location"] == ASK
    client.post(ASK, {"code": later(clock, app)})
    assert client.get("/admin/").status_code == 200


def test_superusers_count_as_administrators(superuser: Any, settings: Any) -> None:
    settings.MFA_REQUIRED_ROLES = ["admin"]
    client, _answer = password_given("root")
    assert client.get("/admin/")["Location"] == SETUP


# --- lost ------------------------------------------------------------------------
def test_an_administrator_resets_it_and_that_is_audited(superuser: Any, alice: Any) -> None:
    enrol(alice)
    console = Client()
    console.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    where, what = "/admin/accounts/user/", {"action": "reset_second_factor", "_selected_action": ["alice"]}
    assert "First make sure who is asking" in text(console.post(where, what))
    assert SecondFactor.objects.exists(), "nothing happens before the second click"
    console.post(where, {**what, "confirm": "1"})
    assert not SecondFactor.objects.exists()
    entry = AuditLog.objects.get(action="second_factor_reset")
    assert (entry.actor, entry.target) == ("root", "alice")
    assert not Session.objects.filter(user=alice).exists()


@pytest.mark.parametrize("group", ["Finance", "Support", "Operator", "Auditor"])
def test_others_cannot_reset_it(make_user: Any, alice: Any, group: str) -> None:
    enrol(alice)
    console = Client()
    console.force_login(
        make_user("staff", role="admin", groups=[group]), backend="django.contrib.auth.backends.ModelBackend"
    )
    console.post(
        "/admin/accounts/user/", {"action": "reset_second_factor", "_selected_action": ["alice"], "confirm": "1"}
    )
    assert SecondFactor.objects.exists()


def test_an_administrator_who_is_no_superuser_cannot_reset_that_of_one(make_user: Any, superuser: Any) -> None:
    enrol(superuser)
    console = Client()
    console.force_login(
        make_user("adm", role="admin", groups=["Admin"]), backend="django.contrib.auth.backends.ModelBackend"
    )
    console.post(
        "/admin/accounts/user/", {"action": "reset_second_factor", "_selected_action": ["root"], "confirm": "1"}
    )
    assert SecondFactor.objects.exists()


def test_the_names_of_groups_in_settings_are_those_that_there_are() -> None:
    assert set(GROUP_NAMES.values()) == set(GROUPS)
