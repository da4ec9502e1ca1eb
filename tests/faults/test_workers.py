"""F2 and F18: web workers are killed in the middle of their work; what was answered is there, all of it or none of the
rest, and whoever asks again gets what they wanted once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from accounts.services.api_keys import issue_key
from billing.models import Receipt
from core.context import SYSTEM
from tests.factories import account_tier, make_jobs, make_project
from tests.faults.seeds import FULL, dice, times
from tests.faults.site import Site, wait_until_nobody_writes
from tests.invariants import broken
from tests.usage.events import body
from usage.events.store import Stretch, open_store
from usage.models import Job, UsageEvent

pytestmark = pytest.mark.django_db(transaction=True)
KILLS = times("WORKER_KILLS", 2)
JOBS = times("WORKER_JOBS", 1500)
EVENTS = times("INGEST_EVENTS", 2400)
INGESTS = times("INGESTS", 1)
CLIENTS, BATCH = 8, 100
ORDER = {"user": "alice", "start": "2026-10-01", "end": "2026-10-31"}


def test_a_receipt_is_made_whole_or_not_at_all_when_its_worker_is_killed(alice: Any, superuser: Any) -> None:
    chance = dice("killed workers")
    account_tier("physics", "mu")
    key = issue_key(actor=SYSTEM, name="ops", scopes=["admin:*"], user=superuser).secret
    with Site() as site:
        make_jobs(JOBS)
        began = time.monotonic()
        assert site.insist("POST", "/api/v1/receipts", ORDER, key)[0] == 201
        whole = time.monotonic() - began
        for _number in range(KILLS):
            make_jobs(JOBS)
            before = Receipt.objects.count()
            with ThreadPoolExecutor(1) as client:
                answer = client.submit(site.ask, "POST", "/api/v1/receipts", ORDER, key)
                time.sleep(chance.random() * whole)
                site.kill_workers()
            check(before, answered=answer.result()[0] == 201)
            assert site.insist("POST", "/api/v1/receipts", ORDER, key)[0] in (200, 201)
            assert Job.objects.unbilled().count() == 0
            assert broken() == {}


def check(before: int, *, answered: bool) -> None:
    """All of the jobs are on one new receipt, or none is; all, if that was answered."""
    wait_until_nobody_writes()
    left = Job.objects.unbilled().count()
    assert left in (0, JOBS), "part of the jobs are on a receipt"
    assert Receipt.objects.count() - before == (left == 0)
    assert left == 0 or not answered, "it was answered, and is not there"
    assert broken() == {}


@pytest.mark.parametrize("number", range(INGESTS))
def test_what_was_taken_of_events_is_there_once_when_workers_are_killed(number: int) -> None:
    """Three in ten are sent twice, by clients that send again what was not answered."""
    chance = dice(f"killed ingest {number}")
    key = issue_key(actor=SYSTEM, name="g", scopes=["events:write"], project=make_project()).secret
    items = [body() for _each in range(EVENTS)]
    doubled = items + chance.sample(items, EVENTS * 3 // 10)
    chance.shuffle(doubled)
    batches = [doubled[at : at + BATCH] for at in range(0, len(doubled), BATCH)]
    taken: list[int] = []
    faults: list[str] = []

    def client(index: int) -> None:
        for batch in batches[index::CLIENTS]:
            unique = list({each["idempotency_key"]: each for each in batch}.values())
            status, found = site.insist("POST", "/api/v1/events", unique, key)
            if status not in (200, 202) or found["accepted"] + found["duplicate"] != len(unique):
                faults.append(f"{status}: {found}")
            taken.append(len(unique))

    with Site() as site:
        began = time.monotonic()
        clients = [threading.Thread(target=client, args=(index,)) for index in range(CLIENTS)]
        for each in clients:
            each.start()
        killed = 0
        while any(each.is_alive() for each in clients):
            if len(taken) > len(batches) // 4 and killed < 2:
                site.kill_workers()
                killed += 1
                time.sleep(1)
            time.sleep(0.05)
        seconds = time.monotonic() - began
        wait_until_nobody_writes()
    assert faults == []
    assert killed, "all was over before anybody was killed"
    assert UsageEvent.objects.count() == EVENTS, "lost or doubled"
    assert open_store().check(Stretch()) == []
    print(f"{sum(taken) / seconds:.0f} events a second")  # noqa: T201
    assert not FULL or sum(taken) / seconds >= 500
