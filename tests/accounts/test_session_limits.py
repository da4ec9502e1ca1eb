"""Sessions end: unused after some hours, in any case after some days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as project
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Session
from audit.models import AuditLog
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)
PAGE = "/accounts/password/"


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as moved:
        yield moved


@pytest.fixture
def visitor(alice: Any, clock: Any) -> Client:
    client = Client()
    client.post("/accounts/login/", {"username": "alice", "password": PASSWORD, "next": PAGE})
    return client


def is_in(client: Client) -> bool:
    return bool(client.get(PAGE).status_code == 200)


def test_a_session_that_nobody_used_is_over(visitor: Client, clock: Any) -> None:
    clock.shift(timedelta(seconds=project.SESSION_IDLE_SEC - 1))
    assert is_in(visitor)
    clock.shift(timedelta(seconds=project.SESSION_IDLE_SEC + 1))
    assert not is_in(visitor)


def test_the_server_ends_it_whatever_the_browser_keeps(visitor: Client, clock: Any) -> None:
    key = visitor.cookies["sessionid"].value
    clock.shift(timedelta(seconds=project.SESSION_IDLE_SEC + 1))
    thief = Client()
    thief.cookies["sessionid"] = key
    assert not is_in(thief)


def test_one_in_use_goes_on_until_its_last_day_and_no_longer(visitor: Client, clock: Any) -> None:
    hours = project.SESSION_IDLE_SEC // 2
    for _ in range(project.SESSION_MAX_SEC // hours - 1):
        clock.shift(timedelta(seconds=hours))
        assert is_in(visitor)
    clock.shift(timedelta(seconds=hours))
    assert not is_in(visitor)
    assert not Session.objects.exists()
    assert AuditLog.objects.filter(action="logout", actor="alice").count() == 1


def test_most_requests_write_nothing(visitor: Client, clock: Any) -> None:
    def written() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            visitor.get(PAGE)
        return sum(each["sql"].startswith("UPDATE") for each in asked)

    clock.shift(timedelta(minutes=1))
    assert written() == 0
    clock.shift(timedelta(hours=1))
    assert written() == 1
    assert written() == 0


def test_a_session_of_a_former_version_begins_now(visitor: Client) -> None:
    session = visitor.session
    del session["signed_in"]
    session.save()
    assert is_in(visitor)
    assert visitor.session["signed_in"] == int(NOON.timestamp())


def test_signing_out_leaves_nothing_in_the_browser(visitor: Client) -> None:
    assert visitor.post("/accounts/logout/")["Clear-Site-Data"] == '"cache", "storage"'
