"""F5: PostgreSQL is stopped in the middle of everything and started again; what was answered is there, ``/readyz`` says 503
and then 200. ``DB_RESTARTS`` times. The server is one of its own, made from binaries of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.faults.seeds import dice, times
from tests.faults.site import ROOT, Site
from tests.postgres import _as_plain_user, _local_binaries
from tests.usage.events import body

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(_local_binaries() is None, reason="needs initdb and pg_ctl: a server that may be stopped"),
]
RESTARTS = times("DB_RESTARTS", 1)
WITHIN = 10.0
SETUP = """
import django
django.setup()
from accounts.services.api_keys import issue_key
from core.context import SYSTEM
from tests.factories import make_project
print(issue_key(actor=SYSTEM, name="g", scopes=["events:write"], project=make_project()).secret)
"""


@dataclass
class Server:
    """A PostgreSQL that may be stopped; ``url`` is that of a migrated database, ``key`` of somebody who sends events."""

    binaries: Path
    folder: Path
    prefix: list[str]
    key: str = ""

    @property
    def url(self) -> str:
        return f"postgres://postgres:@/{self.folder}/postgres"

    def control(self, *words: str) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=60 -c synchronous_commit=on"
        command = [*self.prefix, str(self.binaries / "pg_ctl"), "-D", str(self.folder / "data"), "-w", "-l",
                   str(self.folder / "log"), "-o", options, *words]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)


@pytest.fixture
def database() -> Iterator[Server]:
    binaries = _local_binaries()
    assert binaries
    with tempfile.TemporaryDirectory(prefix="pgr-") as name:  # a socket's path must be short
        folder = Path(name)
        server = Server(binaries, folder, _as_plain_user(folder))
        make = [*server.prefix, str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-A", "trust",
                "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]  # fmt: skip
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        server.control("start")
        try:
            environment = os.environ | {"DATABASE_URL": server.url, "DJANGO_SETTINGS_MODULE": "hpcbilling.settings"}
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
            done = subprocess.run(
                [sys.executable, "-c", SETUP], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
            )
            server.key = done.stdout.strip()
            yield server
        finally:
            server.control("-m", "immediate", "stop")


def test_what_was_answered_outlives_a_database_that_is_stopped_at_once(database: Server) -> None:
    chance = dice("restarts")
    acknowledged: set[str] = set()
    over = threading.Event()
    with Site(database.url) as site, ThreadPoolExecutor(4) as clients:
        load = [clients.submit(send_events, site, database.key, acknowledged, over) for _each in range(4)]
        try:
            for _number in range(RESTARTS):
                wait_for_more(acknowledged, 100)
                time.sleep(chance.random())
                stop_and_start(site, database)
        finally:
            over.set()
    assert [each.result() for each in load] == [None] * 4
    with psycopg.connect(host=str(database.folder), user="postgres", dbname="postgres") as own:
        there = {row[0] for row in own.execute("SELECT idempotency_key FROM usage_event_keys")}
    assert acknowledged, "nothing was ever answered"
    assert acknowledged <= there, "answered, and lost"


def send_events(site: Site, key: str, acknowledged: set[str], over: threading.Event) -> None:
    while not over.is_set():
        items = [body() for _each in range(20)]
        status, found = site.ask("POST", "/api/v1/events", items, key)
        if status in (200, 202) and found["accepted"] == 20:
            acknowledged.update(each["idempotency_key"] for each in items)


def wait_for_more(acknowledged: set[str], number: int, seconds: float = 60) -> None:
    reached, deadline = len(acknowledged) + number, time.monotonic() + seconds
    while len(acknowledged) < reached and time.monotonic() < deadline:
        time.sleep(0.05)


def stop_and_start(site: Site, database: Server) -> None:
    database.control("-m", "immediate", "stop")
    assert site.ask("GET", "/readyz", timeout=10)[0] == 503
    assert site.ask("GET", "/healthz", timeout=10)[0] == 200
    database.control("start")
    began = time.monotonic()
    while site.ask("GET", "/readyz", timeout=10)[0] != 200:
        assert time.monotonic() - began < WITHIN, "it does not become ready again"
        time.sleep(0.1)
