"""Guesses spread over addresses or over names: as many checks as the limit says, then one at a time; the victim is not
locked out, and nobody else notices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client

from accounts.models import KnownNetwork, SignInPressure
from accounts.services import pressure
from audit.models import AuditLog
from tests.accounts.test_lockout import hashes, sign_in  # noqa: F401 - a fixture
from tests.conftest import PASSWORD
from tests.races import at_once

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)


def far(number: int) -> str:
    """An address in a network of its own."""
    return f"203.{number // 250}.{number % 250}.7"


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as moved:
        yield moved


def test_one_name_from_fifty_networks_gets_ten_checks(alice: Any, clock: Any, hashes: list[str]) -> None:  # noqa: F811
    statuses = [sign_in("alice", f"guess-{number}", far(number)).status_code for number in range(50)]
    assert len(hashes) == 10
    assert statuses == [200] * 10 + [429] * 40


def test_spellings_of_the_name_do_not_help(alice: Any, clock: Any, hashes: list[str]) -> None:  # noqa: F811
    for number in range(50):
        sign_in(("alice", "ALICE", " Alice", "\uff41lice")[number % 4], "guess", far(number))
    assert len(hashes) == 10


def test_fifty_names_from_one_network_get_twenty_checks(alice: Any, clock: Any, hashes: list[str]) -> None:  # noqa: F811
    for number in range(50):
        sign_in(f"user{number}", "guess", f"198.51.100.{number}")
    assert len(hashes) == 20
    assert sign_in("alice", PASSWORD, "203.0.113.9").status_code == 302, "other networks notice nothing"


def test_the_victim_signs_in_from_where_they_signed_in_before(alice: Any, clock: Any) -> None:
    assert sign_in("alice", PASSWORD, "192.0.2.10").status_code == 302
    for number in range(50):
        sign_in("alice", "guess", far(number))
    assert sign_in("alice", PASSWORD, "192.0.2.77").status_code == 302, "the same /24"
    assert sign_in("alice", PASSWORD, "198.18.0.1").status_code == 429, "from elsewhere one waits"


def test_after_the_limit_one_attempt_passes_each_pause_and_the_pause_doubles(alice: Any, clock: Any) -> None:
    for number in range(10):
        sign_in("alice", "guess", far(number))
    waits = []
    for number in range(10, 14):
        answer = sign_in("alice", "guess", far(number))
        waits.append(int(answer["Retry-After"]))
        clock.shift(timedelta(seconds=waits[-1] - 1))
        assert sign_in("alice", "guess", far(number + 50)).status_code == 429, "not a second earlier"
        clock.shift(timedelta(seconds=1))
        assert sign_in("alice", "guess", far(number + 100)).status_code == 200
    assert waits == [10, 20, 40, 80]


def test_a_flood_that_waits_does_not_make_the_wait_longer(alice: Any, clock: Any) -> None:
    for number in range(200):
        sign_in("alice", "guess", far(number))
    assert int(sign_in("alice", PASSWORD, "198.18.0.1")["Retry-After"]) == 10
    clock.shift(timedelta(seconds=10))
    assert sign_in("alice", PASSWORD, "198.18.0.1").status_code == 302


def test_when_the_window_is_over_all_is_as_before(alice: Any, clock: Any) -> None:
    for number in range(60):
        sign_in("alice", "guess", far(number))
    clock.shift(timedelta(seconds=900))
    assert [sign_in("alice", "guess", far(number)).status_code for number in range(11)] == [200] * 10 + [429]


def test_right_passwords_do_not_count(make_user: Any, clock: Any) -> None:
    for number in range(40):
        make_user(f"student{number}")
    assert {sign_in(f"student{number}", PASSWORD, "198.51.100.5").status_code for number in range(40)} == {302}
    assert SignInPressure.objects.get(pk="net:198.51.100.0/24").attempts == 0


def test_being_told_to_wait_does_not_count_towards_the_lockout_of_the_pair(alice: Any, clock: Any) -> None:
    for number in range(10):
        sign_in("alice", "guess", far(number))
    for _ in range(8):
        assert sign_in("alice", "guess", "198.18.0.1").status_code == 429
    clock.shift(timedelta(seconds=10))
    assert sign_in("alice", PASSWORD, "198.18.0.1").status_code == 302


def test_ipv6_counts_by_the_64_and_mapped_ipv4_by_the_24() -> None:
    assert pressure.network_of("2001:db8::1") == pressure.network_of("2001:db8::ffff") == "2001:db8::/64"
    assert pressure.network_of("::ffff:192.0.2.1") == pressure.network_of("192.0.2.200") == "192.0.2.0/24"


def test_an_unknown_name_is_slowed_like_one_that_there_is(alice: Any, clock: Any) -> None:
    for name in ("alice", "nobody"):
        assert [sign_in(name, "guess", far(number)).status_code for number in range(12)] == [200] * 10 + [429] * 2
        clock.shift(timedelta(seconds=901))


def test_a_flood_fills_no_log_and_a_pause_is_told_once(alice: Any, clock: Any) -> None:
    for number in range(10):
        sign_in("alice", "guess", far(number))
    for _ in range(30):
        sign_in("alice", "guess", "198.18.0.1")
    assert AuditLog.objects.filter(action="sign_in_slowed").count() == 1


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_from_fifty_networks_run_ten_checks(make_user: Any, hashes: list[str]) -> None:  # noqa: F811
    make_user("alice")
    hashes.clear()
    statuses = at_once(50, lambda number: sign_in("alice", f"guess-{number}", far(number)).status_code)
    assert len(statuses) == 50
    assert statuses.count(200) == len(hashes) == 10


def test_prune_forgets_old_networks_and_counters(alice: Any, clock: Any) -> None:
    sign_in("alice", PASSWORD, "192.0.2.10")
    sign_in("alice", "guess", far(1))
    clock.shift(timedelta(days=91))
    call_command("prune", what="throttle", older_than="90d", verbosity=0)
    assert not SignInPressure.objects.exists()
    assert not KnownNetwork.objects.exists()


def test_a_network_is_forgotten_after_ninety_days_without_a_sign_in(alice: Any, clock: Any) -> None:
    sign_in("alice", PASSWORD, "192.0.2.10")
    assert pressure.keys_of("alice", "192.0.2.10") == {}
    clock.shift(timedelta(days=90))
    assert pressure.keys_of("alice", "192.0.2.10") != {}


def test_the_page_says_that_nothing_is_locked(alice: Any, clock: Any) -> None:
    for number in range(11):
        answer = sign_in("alice", "guess", far(number))
    assert "nothing is locked" in answer.content.decode()
    assert Client().get("/accounts/login/").status_code == 200
