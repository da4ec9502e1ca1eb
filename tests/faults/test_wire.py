"""F33: the wire to PostgreSQL is slow, narrow, cut or dead; the site says so at ``/readyz``, and is well again within ten
seconds of the wire. ``WIRE_ROUNDS`` rounds of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from accounts.services.api_keys import issue_key
from core.context import SYSTEM
from tests.factories import account_tier, make_jobs
from tests.faults.proxy import Wire
from tests.faults.seeds import times
from tests.faults.site import Site, database_url
from tests.invariants import broken
from tests.races import at_once
from usage.models import Job

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
ROUNDS = times("WIRE_ROUNDS", 1)
RECOVERY = 10.0


def slow(wire: Wire) -> None:
    wire.latency = 0.2


def narrow(wire: Wire) -> None:
    wire.bandwidth = 20_000


def cut(wire: Wire) -> None:
    wire.reset()


def shut(wire: Wire) -> None:
    wire.closed = True
    wire.reset()


def dead(wire: Wire) -> None:
    wire.dead = True


# What readyz must say meanwhile: a wire that carries everything, however slowly, is no failure.
TOXICS: list[tuple[Callable[[Wire], None], set[int]]] = [
    (slow, {200, 503}), (narrow, {200, 503}), (cut, {200, 503}), (shut, {503}), (dead, {503}),
]  # fmt: skip


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire(connection.settings_dict)
    yield made
    made.close()


@pytest.fixture
def site(wire: Wire) -> Iterator[Site]:
    given = connection.settings_dict
    who = f"{given['USER']}:{given['PASSWORD']}" if given["PASSWORD"] else given["USER"]
    with Site(f"postgres://{who}@127.0.0.1:{wire.port}/{given['NAME']}") as started:
        yield started


def seconds_until_ready(site: Site) -> float:
    began = time.monotonic()
    while site.ask("GET", "/readyz", timeout=5)[0] != 200:
        if time.monotonic() - began > 6 * RECOVERY:
            pytest.fail("it does not become ready again")
        time.sleep(0.1)
    return time.monotonic() - began


def test_whatever_befalls_the_wire_it_is_said_and_gets_well(site: Site, wire: Wire, alice: Any, superuser: Any) -> None:
    assert database_url().startswith("postgres")
    account_tier("physics", "mu")
    key = issue_key(actor=SYSTEM, name="ops", scopes=["admin:*"], user=superuser).secret
    for harm, said in TOXICS * ROUNDS:
        make_jobs(20)
        assert site.ask("GET", "/readyz")[0] == 200
        harm(wire)
        assert site.ask("GET", "/readyz", timeout=20)[0] in said, harm.__name__
        assert site.ask("GET", "/healthz", timeout=5)[0] == 200, "the process itself is well"
        wire.heal()
        assert seconds_until_ready(site) < RECOVERY, harm.__name__
        order = {"user": "alice", "start": "2026-10-01", "end": "2026-10-31"}
        assert site.insist("POST", "/api/v1/receipts", order, key, within=RECOVERY)[0] in (200, 201), harm.__name__
        assert Job.objects.unbilled().count() == 0
        assert broken() == {}


def test_many_at_once_over_a_slow_wire_end_without_a_deadlock(
    site: Site, wire: Wire, alice: Any, superuser: Any
) -> None:
    account_tier("physics", "mu")
    key = issue_key(actor=SYSTEM, name="ops", scopes=["admin:*"], user=superuser).secret
    make_jobs(50)
    wire.latency = 0.02
    order = {"user": "alice", "start": "2026-10-01", "end": "2026-10-31"}
    statuses = at_once(12, lambda _number: site.ask("POST", "/api/v1/receipts", order, key, timeout=120)[0])
    assert set(statuses) <= {200, 201}
    assert statuses.count(201) == 1
    assert broken() == {}
