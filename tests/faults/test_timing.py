"""F30: how long a refusal takes says nothing of what exists. ``TIMED`` calls of each kind, one after the other in turn;
processor time is compared, which a busy machine does not lengthen."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
from django.test import Client

from accounts.services.api_keys import issue_key
from core.context import SYSTEM
from tests.factories import make_project
from tests.faults.seeds import FULL, times

pytestmark = pytest.mark.django_db
CALLS = times("TIMED", 40)
LOGINS = times("TIMED_LOGINS", 8)
SHARE, SECONDS = (0.05, 0.001) if FULL else (0.25, 0.002)


def compare(one: Callable[[int], object], other: Callable[[int], object], number: int) -> None:
    took: tuple[list[float], list[float]] = ([], [])
    for index in range(number + 3):
        for side, work in zip(took, (one, other), strict=True):
            began = time.thread_time()
            work(index)
            if index >= 3:  # the first ones load what the others have
                side.append(time.thread_time() - began)
    first, second = median(took[0]), median(took[1])
    assert abs(first - second) < max(SHARE * max(first, second), SECONDS), f"{first:.6f} s and {second:.6f} s"


def test_a_key_that_was_nearly_right_is_refused_as_fast_as_nonsense() -> None:
    good = issue_key(actor=SYSTEM, name="g", scopes=["events:write"], project=make_project()).secret
    client = Client()

    def ask(text: str) -> None:
        assert client.get("/api/v1/jobs", HTTP_AUTHORIZATION=f"Bearer {text}").status_code == 401

    compare(
        lambda index: ask(f"{good[:-4]}{index:04d}"),
        lambda index: ask(f"hpcb_00000000_{'x' * (len(good) - 18)}{index:04d}"),
        CALLS,
    )


def test_a_name_that_exists_is_refused_as_fast_as_one_that_does_not(make_user: Any, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    settings.AUTH_THROTTLE_MAX_FAILS = settings.AUTH_THROTTLE_NAME_ATTEMPTS = 10**6
    settings.AUTH_THROTTLE_NETWORK_ATTEMPTS = 10**6
    make_user("alice")

    def sign_in(name: str) -> None:
        assert Client().post("/accounts/login/", {"username": name, "password": "wrong"}).status_code == 200

    compare(lambda _index: sign_in("alice"), lambda _index: sign_in("nobody"), LOGINS)
