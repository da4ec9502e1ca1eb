"""mix: pages, sign-ins, webhooks and events at once, against each of them alone.

The site runs as in production on PostgreSQL; the callers (``bench.people``, by locust) keep a pace that leaves a
third of two cores free. ``LOAD_MINUTES`` makes the mixture longer: then nothing may grow, neither the memory of the
workers nor the connections to the database.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import metering, webhooks, world
from bench.measure import Outcome, Skipped, rows
from bench.site import running
from tests.fakes.providers import Providers
from tests.fakes.providers.__main__ import settings as provider_settings

KINDS = {
    "Reader": ("page",), "SignIn": ("login page", "login"), "Provider": ("webhook",), "Meter": ("event", "batch"),
}  # fmt: skip
WORKERS, THREADS = 2, 8
GOAL = 4.0  # times as slow for 95 of 100, at most
PASSWORD = "only-for-benchmarks-of-sign-in"
READERS = 8
MOST_GROWTH = 1.1  # of memory, from the end of the first quarter to the last


def run() -> Outcome:
    if find_spec("locust") is None:  # it is started as a program: imported, it would change this one
        raise Skipped("locust is not installed (requirements-dev.txt)")
    number = rows(100_000)
    seconds = max(60 * float(os.environ.get("LOAD_MINUTES", "1")), 60) if number > TRIED_OUT else 4
    with Providers(seed=2) as fakes, TemporaryDirectory() as name:  # not what "webhooks" left
        folder = Path(name)
        environment = {**provider_settings(fakes), "PAYMENT_PROVIDER": "stripe", "STATIC_ROOT": str(folder / "static")}
        _collect_static(folder / "static")
        _write_world(folder / "world.json", fakes, environment, number)
        with running(environment, workers=WORKERS, threads=THREADS) as address:
            alone: dict[str, Any] = {}
            for kind in KINDS:
                alone |= _locust(folder, address, [kind], min(seconds, 20))
            with _watched() as watched:
                together = _locust(folder, address, KINDS, seconds)
    slower = {each: together[each]["p95_ms"] / max(alone[each]["p95_ms"], 1) for each in together}
    failed = sum(each["failed"] for found in (alone, together) for each in found.values())
    grown = _grown(watched)
    return Outcome(
        name="mix",
        ratio=max(slower.values()),
        goal=GOAL,
        higher_is_better=False,
        limit="95 of 100 calls of each kind with no other kind beside it",
        figures={
            "rows": number, "seconds": seconds, "alone": alone, "together": together, "failed": failed,
            "times_slower": {each: round(value, 2) for each, value in slower.items()}, **grown,
        },
        also=not failed and grown["memory_growth"] <= MOST_GROWTH and grown["most_connections"] <= WORKERS * THREADS,
    )  # fmt: skip


TRIED_OUT = 10_000  # fewer rows: a look whether it runs


def _collect_static(folder: Path) -> None:
    from django.core.management import call_command
    from django.test import override_settings

    with override_settings(STATIC_ROOT=str(folder)):
        call_command("collectstatic", interactive=False, verbosity=0)


def _write_world(path: Path, fakes: Providers, environment: dict[str, str], number: int) -> None:
    from django.contrib.auth.hashers import make_password

    from accounts.models import User
    from bench import joblist

    joblist.fill(number)
    calls = webhooks.calls_of_paid(fakes, environment, max(20, min(number // 500, 200)))
    names = [f"user{each:04d}" for each in range(1, READERS + 1)]
    hashed = make_password(PASSWORD)
    for name in names:
        User.objects.update_or_create(username=name, defaults={"password": hashed})  # others made some of them
    path.write_text(json.dumps({
        "names": names, "password": PASSWORD, "webhook_secret": environment["STRIPE_WEBHOOK_SECRET"],
        "keys": [metering.project(f"mixed{each}")[1] for each in range(READERS)],
        "bodies": [body.decode() for body, _headers in calls],
    }))  # fmt: skip


def _locust(folder: Path, address: str, kinds: Collection[str], seconds: float) -> dict[str, Any]:
    """By name of call: how many, how many failed, and milliseconds.

    A machine with other work may take longer to sign the readers in than a short run lasts: it is repeated, twice as
    long each time, until every call was made.
    """
    names = {name for kind in kinds for name in KINDS[kind]}
    for longer in (1, 2, 4, 8, 16):
        found, said = _locust_once(folder, address, kinds, longer * seconds)
        if names <= found.keys():
            return found
    raise RuntimeError(f"never called: {', '.join(sorted(names - found.keys()))}\n{said}")


def _locust_once(
    folder: Path, address: str, kinds: Collection[str], seconds: float
) -> tuple[dict[str, Any], str]:  # fmt: skip
    """What was called in one run, and the end of what locust said."""
    command = [
        sys.executable, "-m", "locust", "-f", "bench/people.py", "--headless", "--host", address, "--users", "14",
        "--spawn-rate", "14", "--run-time", f"{seconds:.0f}s", "--stop-timeout", "10", "--csv", str(folder / "found"),
        "--only-summary", "--reset-stats", "--exit-code-on-error", "0", *kinds,
    ]  # fmt: skip
    environment = {**os.environ, "LOAD_WORLD": str(folder / "world.json")}
    done = subprocess.run(command, cwd=world.ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    with (folder / "found_stats.csv").open() as file:
        names = {name for kind in kinds for name in KINDS[kind]}
        found = {row["Name"]: row for row in csv.DictReader(file) if row["Name"] in names}
    with (folder / "found_failures.csv").open() as file:
        for row in csv.DictReader(file):
            print(f"{row['Name']}: {row['Error']} ({row['Occurrences']} times)", file=sys.stderr)
    return {
        name: {
            "calls": int(row["Request Count"]), "failed": int(row["Failure Count"]), "p50_ms": int(row["50%"]),
            "p95_ms": int(row["95%"]), "a_second": round(float(row["Requests/s"]), 1),
        }
        for name, row in found.items()
    }, done.stderr[-2000:]  # fmt: skip


@contextmanager
def _watched() -> Iterator[list[tuple[float, int]]]:
    """Once a second: MiB of the workers, and connections of the site to its database."""
    from django.db import connection

    found: list[tuple[float, int]] = []
    over = threading.Event()
    pids = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and _is_worker(each)]

    def watch() -> None:
        import psycopg

        settings = connection.settings_dict
        with psycopg.connect(
            host=settings["HOST"], port=settings["PORT"] or None, dbname=settings["NAME"], autocommit=True,
            user=settings["USER"] or None, password=settings["PASSWORD"] or None,
        ) as control:  # fmt: skip
            while not over.wait(1):
                (number,) = control.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid NOT IN"
                    " (pg_backend_pid(), %s)", (backend,)
                ).fetchone() or (0,)  # fmt: skip
                found.append((sum(map(_memory, pids)), number))

    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


def _is_worker(process: Path) -> bool:
    try:
        return b"gunicorn" in (process / "cmdline").read_bytes()
    except OSError:  # it is gone
        return False


def _memory(pid: int) -> float:
    """MiB that the process alone would give back."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty"))) / 1024


def _grown(watched: list[tuple[float, int]]) -> dict[str, Any]:
    quarter = max(1, len(watched) // 4)
    memory = [each for each, _connections in watched]
    early, late = max(memory[:quarter]), max(memory[-quarter:])
    return {
        "memory_mib": [round(early), round(late)],
        "memory_growth": round(late / early, 3),
        "most_connections": max(connections for _memory, connections in watched),
    }
