"""The lockout: five failures per user name and address, counted before the password is looked at."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import AuthThrottle
from accounts.services import throttle
from audit.models import AuditLog
from tests.conftest import PASSWORD
from tests.races import at_once

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"
NOON = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)


def sign_in(username: str, password: str, ip: str = "192.0.2.10", **headers: str) -> HttpResponse:
    data = {"username": username, "password": password, "next": "/healthz"}
    return Client(REMOTE_ADDR=ip).post(LOGIN, data, headers=headers or None)


def fail(times: int, username: str = "alice", ip: str = "192.0.2.10") -> list[int]:
    return [sign_in(username, f"wrong-{number}", ip).status_code for number in range(times)]


def actions(*names: str) -> list[tuple[str, str]]:
    return list(AuditLog.objects.filter(action__in=names).order_by("id").values_list("action", "target"))


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every password hash that is computed, for a known name (check) or an unknown one (Django hashes anyway)."""
    seen: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        seen.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    return seen


def test_the_sixth_try_after_five_failures_is_refused_even_with_the_right_password(alice: Any) -> None:
    assert fail(5) == [200, 200, 200, 200, 429]
    answer = sign_in("alice", PASSWORD)
    assert answer.status_code == 429
    assert "_auth_user_id" not in answer.client.session
    assert "accounts/locked.html" in [template.name for template in answer.templates]


def test_four_failures_do_not_lock_and_a_success_clears_them(alice: Any) -> None:
    for _ in range(3):
        fail(4)
        assert sign_in("alice", PASSWORD).status_code == 302
    assert not AuthThrottle.objects.exists()


def test_no_password_is_hashed_during_a_lockout(alice: Any, hashes: list[str]) -> None:
    fail(5)
    hashes.clear()
    sign_in("alice", PASSWORD)
    assert hashes == []


def test_the_answer_says_when_to_come_back(alice: Any) -> None:
    with time_machine.travel(NOON, tick=False):
        fail(5)
        assert int(sign_in("alice", PASSWORD)["Retry-After"]) == 900


def test_an_innocent_user_on_the_same_address_still_signs_in(alice: Any, bob: Any) -> None:
    fail(6)
    assert sign_in("bob", PASSWORD).status_code == 302


def test_the_same_user_still_signs_in_from_another_address(alice: Any) -> None:
    fail(6)
    assert sign_in("alice", PASSWORD, ip="198.51.100.7").status_code == 302


def test_spellings_of_one_name_share_one_counter(alice: Any) -> None:
    for spelling in ("alice", "ALICE", "Alice", " alice ", "\uff41lice"):
        sign_in(spelling, "wrong")
    assert sign_in("aLiCe", PASSWORD).status_code == 429
    assert AuthThrottle.objects.count() == 1


@pytest.mark.parametrize(("trusted", "status"), [(0, 429), (1, 429)])
def test_a_forged_forwarded_header_does_not_help(alice: Any, settings: Any, trusted: int, status: int) -> None:
    settings.TRUSTED_PROXY_COUNT = trusted
    real = ", 203.0.113.5" if trusted else ""  # what our own proxy would append
    for number in range(5):
        sign_in("alice", "wrong", **{"X-Forwarded-For": f"10.0.0.{number}{real}"})
    assert sign_in("alice", PASSWORD, **{"X-Forwarded-For": f"10.9.9.9{real}"}).status_code == status


def test_addresses_of_one_ipv6_network_share_a_counter_and_mapped_ipv4_does_not(alice: Any) -> None:
    for number in range(5):
        sign_in("alice", "wrong", ip=f"2001:db8::{number + 1:x}")
    assert sign_in("alice", PASSWORD, ip="2001:db8::abcd").status_code == 429
    assert throttle.network_of("::ffff:192.0.2.1") == "192.0.2.1"


def test_the_lock_ends_after_its_time_and_not_before(alice: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        fail(5)
        clock.shift(timedelta(seconds=899))
        assert sign_in("alice", PASSWORD).status_code == 429
        clock.shift(timedelta(seconds=1))
        assert sign_in("alice", PASSWORD).status_code == 302


def test_after_a_lock_the_count_starts_anew(alice: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        fail(8)
        clock.shift(timedelta(seconds=901))
        assert fail(4) == [200] * 4
        assert sign_in("alice", PASSWORD).status_code == 302


def test_failures_older_than_the_window_do_not_count(alice: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        fail(4)
        clock.shift(timedelta(seconds=901))
        assert fail(4) == [200] * 4


def test_attempts_that_died_before_an_answer_are_refused_until_the_window_ends(alice: Any) -> None:
    """A process killed while hashing has counted its attempt and can never report the failure."""
    with time_machine.travel(NOON, tick=False) as clock:
        for _ in range(5):
            throttle.reserve(username="alice", ip="192.0.2.10")
        assert sign_in("alice", PASSWORD).status_code == 429
        clock.shift(timedelta(seconds=901))
        assert sign_in("alice", PASSWORD).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_fifty_parallel_guesses_run_at_most_five_password_checks(
    make_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("alice")
    checked: list[str] = []
    verify = MD5PasswordHasher.verify

    def slow(self: MD5PasswordHasher, password: str, encoded: str) -> bool:
        checked.append(password)
        time.sleep(0.2)  # a real hash is slow: everybody else arrives meanwhile
        return verify(self, password, encoded)

    monkeypatch.setattr(MD5PasswordHasher, "verify", slow)
    statuses = at_once(50, lambda number: sign_in("alice", f"guess-{number}").status_code)
    assert len(statuses) == 50
    assert set(statuses) <= {200, 429}
    assert 1 <= len(checked) <= 5
    assert AuditLog.objects.filter(action="lockout_start").count() == 1
    assert AuthThrottle.objects.get().fail_count == 50


# --- nothing tells whether the name exists -----------------------------------
def test_unknown_name_wrong_password_and_inactive_user_look_the_same(make_user: Any, hashes: list[str]) -> None:
    make_user("alice")
    make_user("gone", is_active=False)
    seen = []
    for name, password in (("nobody", "wrong"), ("alice", "wrong"), ("gone", PASSWORD)):
        hashes.clear()
        answer = sign_in(name, password)
        errors = answer.context["form"].non_field_errors()
        seen.append((answer.status_code, list(errors), len(hashes)))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][1] == ["The user name or the password is not right."]
    assert seen[0][2] == 1, "one hash each: the time tells nothing either"


def test_a_name_that_does_not_exist_is_locked_like_one_that_does(alice: Any) -> None:
    assert fail(7, "nobody") == fail(7, "alice")
    assert sign_in("nobody", "x").content.count(b"alice") == 0


@pytest.mark.parametrize("name", ["", "x" * 300, "ali\0ce", "\0", "' OR 1=1 --", "กขค"])
def test_an_odd_name_is_an_ordinary_refusal(alice: Any, name: str) -> None:
    # A form field with a NUL is refused before any view sees it.
    assert sign_in(name, PASSWORD).status_code == (400 if "\0" in name else 200)
    request = RequestFactory().post(LOGIN)
    assert authenticate(request, username=name, password=PASSWORD) is None, "other doors than the form, too"


# --- the audit log -----------------------------------------------------------
def test_of_a_very_long_name_only_a_beginning_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """U+FDFA is eighteen letters in NFKC: a quarter of a million of them kept a worker busy for seconds."""
    looked_at: list[int] = []
    normalize = throttle.unicodedata.normalize
    monkeypatch.setattr(
        throttle.unicodedata, "normalize", lambda form, text: looked_at.append(len(text)) or normalize(form, text)
    )
    assert len(throttle.fold("\ufdfa" * 800_000)) <= throttle.WIDTH
    assert throttle.fold(" " * 800_000 + "ALICE" + " " * 800_000) == "alice"
    assert max(looked_at) <= 18 * throttle.LONGEST


def test_a_lockout_is_audited_from_start_to_end(alice: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        fail(5)
        sign_in("alice", PASSWORD)
        clock.shift(timedelta(seconds=901))
        sign_in("alice", PASSWORD)
    pair = "alice @ 192.0.2.10"
    assert actions("login_failure") == [("login_failure", "alice")] * 5
    assert actions("lockout_start", "lockout_active", "lockout_end", "login_success") == [
        ("lockout_start", pair), ("lockout_active", pair), ("lockout_end", pair), ("login_success", "alice"),
    ]  # fmt: skip


def test_a_right_password_that_was_being_checked_while_others_failed_ends_the_lockout(alice: Any) -> None:
    last = [throttle.reserve(username="alice", ip="192.0.2.10") for _ in range(5)][-1]
    throttle.record_failure(attempt=last)
    throttle.record_success(username="alice", ip="192.0.2.10")
    assert [name for name, _target in actions("lockout_start", "lockout_end")] == ["lockout_start", "lockout_end"]
    assert not AuthThrottle.objects.exists()


def test_a_flood_of_refused_attempts_does_not_fill_the_audit_log(alice: Any) -> None:
    fail(5)
    before = AuditLog.objects.count()
    fail(31)
    refused = AuditLog.objects.filter(action="lockout_active").order_by("id").values_list("extra", flat=True)
    assert [extra["attempts_refused"] for extra in refused] == [1, 10, 20, 30]
    assert AuditLog.objects.count() == before + 4


def test_no_password_reaches_the_audit_log(alice: Any) -> None:
    fail(6)
    sign_in("alice", PASSWORD)
    text = str(list(AuditLog.objects.values()))
    assert "wrong-" not in text
    assert PASSWORD not in text


def test_what_was_typed_as_a_name_reaches_the_audit_log_only_when_it_is_one(
    alice: Any, superuser: Any, client: Client, settings: Any
) -> None:
    fail(7, "my-Secret-Pass")
    fail(7, "alice")
    client.force_login(superuser)
    call_command("axes_reset_username", "my-secret-pass", verbosity=0)
    assert "secret-pass" not in str(list(AuditLog.objects.values())).lower()
    targets = {target for _name, target in actions("login_failure", "lockout_start", "lockout_active", "lockout_end")}
    unknown = throttle.audited_name("my-secret-pass")
    assert re.fullmatch(r"unknown:[0-9a-f]{12}", unknown)
    assert targets == {"alice", "alice @ 192.0.2.10", unknown, f"{unknown} @ 192.0.2.10"}
    settings.SECRET_KEY = "another" * 10
    assert throttle.audited_name("my-secret-pass") != unknown, "the hash cannot be computed without the key"


def test_a_lockout_of_no_user_that_ends_by_itself_names_nothing_typed(alice: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        fail(5, "my-secret-pass")
        clock.shift(timedelta(seconds=901))
        fail(1, "my-secret-pass")
    ((_name, target),) = actions("lockout_end")
    assert target == f"{throttle.audited_name('my-secret-pass')} @ 192.0.2.10"


def test_signing_out_is_audited(client: Client, alice: Any) -> None:
    client.force_login(alice)
    client.post(reverse("accounts:logout"))
    assert actions("logout") == [("logout", "alice")]


# --- who else could get in the way -------------------------------------------
def test_the_console_has_no_second_door(alice: Any) -> None:
    answer = Client().post("/admin/login/?next=/admin/", {"username": "alice", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/admin/")
    assert "_auth_user_id" not in answer.client.session


def test_axes_keeps_no_counters_of_its_own(alice: Any) -> None:
    fail(7)
    sign_in("alice", PASSWORD, ip="198.51.100.1")
    assert [model.objects.count() for model in (AccessAttempt, AccessFailureLog, AccessLog)] == [0, 0, 0]


def test_an_administrator_unlocks_and_that_is_audited(client: Client, alice: Any, superuser: Any) -> None:
    fail(5)
    client.force_login(superuser)
    row = AuthThrottle.objects.get()
    address = reverse("admin:accounts_auththrottle_changelist")
    assert client.get(address).status_code == 200
    asked = client.post(address, {"action": "unlock", "_selected_action": [row.pk]}).content.decode()
    assert "Unlock 1 entry" in asked
    assert "192.0.2.10" in asked
    assert AuthThrottle.objects.filter(pk=row.pk).exists(), "nothing happens before the second click"
    client.post(address, {"action": "unlock", "_selected_action": [row.pk], "confirm": "1"})
    entry = AuditLog.objects.get(action="lockout_end")
    assert (entry.actor, entry.target, entry.extra) == ("root", "alice @ 192.0.2.10", {"reason": "unlocked"})
    assert sign_in("alice", PASSWORD).status_code == 302


def test_the_command_of_axes_unlocks_too(alice: Any) -> None:
    fail(5)
    call_command("axes_reset_username", "ALICE", verbosity=0)
    assert sign_in("alice", PASSWORD).status_code == 302
