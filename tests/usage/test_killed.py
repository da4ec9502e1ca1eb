"""An import that is killed at any moment loses nothing and doubles nothing; so does one whose database goes away.

The moments are spread over the whole run, chosen by a seed that is printed: ``KILL_SEED=... KILLS=...``
replays them. ``make soak`` kills 200 times.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.databases import TEMPLATE, migrated_file
from tests.postgres import OWN_SERVER
from tests.usage.helpers import row, write

ROOT = Path(__file__).parent.parent.parent
KILLS = int(os.environ.get("KILLS", "6"))
SEED = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(10**6))
ROWS = 4000
# Small blocks make many batches of a small file; the line says when the run itself begins.
PROGRAM = """
import sys
import django
django.setup()
import pandas, pyarrow.csv
from django.core.management import execute_from_command_line
from usage.sources import lines
lines.BLOCK = 20_000
print("begins", flush=True)
execute_from_command_line(["manage.py", "import_usage", "--file", sys.argv[1], "--timezone", "UTC"])
"""
FACTS = "SELECT COUNT(*), COUNT(DISTINCT job_key), SUM(elapsed_seconds), SUM(cpu_core_seconds), SUM(mem_mib_seconds) FROM jobs"


@dataclass
class Databases:
    """Databases of these tests alone: ``fresh(name)`` gives the address of a copy of one of the others."""

    empty: Callable[[str], str]
    migrated: Callable[[str], str]
    fresh: Callable[[str], str]
    ask: Callable[[str, str], list[tuple[Any, ...]]]


def on_sqlite(folder: Path) -> Iterator[Databases]:
    def fresh(name: str) -> str:
        for left in folder.glob("copy.sqlite3*"):
            left.unlink()
        shutil.copy(folder / f"{name}.sqlite3", folder / "copy.sqlite3")
        return f"sqlite:///{folder}/copy.sqlite3"

    def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as own:
            return own.execute(statement).fetchall()

    def path(name: str) -> Path:
        return folder / f"{name}.sqlite3"

    yield Databases(lambda name: f"sqlite:///{path(name)}", lambda name: migrated_file(path(name)), fresh, ask)


def on_postgresql(settings: dict[str, Any]) -> Iterator[Databases]:
    host, port, user, word = (settings[name] for name in ("HOST", "PORT", "USER", "PASSWORD"))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    made: set[str] = set()

    def connect(name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=host or None, port=port or None, user=user or None, password=word or None, dbname=name, autocommit=True
        )

    def make(name: str, template: str = "") -> str:
        with connect("postgres") as control:
            control.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            control.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        made.add(name)
        if str(host).startswith("/"):
            return f"postgres://{user}:{word}@/{host}/{name}"
        return f"postgres://{user}:{word}@{host}:{port or 5432}/{name}"

    def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
        with connect(url.rsplit("/", 1)[1]) as own:
            done = own.execute(statement)
            return done.fetchall() if done.description else []

    def migrated(name: str) -> str:
        """From what this run has migrated already, if that is there."""
        there = (
            ask("/postgres", f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'")
            if OWN_SERVER in os.environ
            else []
        )
        url = make(f"kill_{worker}_{name}", template=TEMPLATE if there else "")
        if not there:
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment(url), check=True)
        return url

    yield Databases(
        lambda name: make(f"kill_{worker}_{name}"),
        migrated,
        lambda name: make(f"kill_{worker}_copy", template=f"kill_{worker}_{name}"),
        ask,
    )
    for name in made:
        with connect("postgres") as control:
            control.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    if connection.vendor == "postgresql":
        yield from on_postgresql(connection.settings_dict)
    else:
        yield from on_sqlite(tmp_path_factory.mktemp("killed"))


@dataclass
class Stage:
    """Prepared databases: ``empty``, and ``old``, where every job is stored with an earlier end."""

    databases: Databases
    file: Path
    wanted: tuple[Any, ...]
    seconds: dict[str, float]


def environment(url: str) -> dict[str, str]:
    return {
        **os.environ, "DEBUG": "1", "READ_DOT_ENV": "0", "DJANGO_SETTINGS_MODULE": "hpcbilling.settings",
        "DATABASE_URL": url,
    }  # fmt: skip


def start(url: str, file: Path) -> subprocess.Popen[bytes]:
    """The run, about to begin."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(file)], cwd=ROOT, env=environment(url), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == b"begins\n", process.communicate()
    return process


def complete(url: str, file: Path) -> float:
    """Run it to its end, however long the dead one's lock still stands; seconds of the run itself."""
    deadline = time.monotonic() + 60
    while True:
        process = start(url, file)
        began = time.monotonic()
        out, errors = process.communicate(timeout=120)
        if process.returncode != 75 or time.monotonic() > deadline:
            assert process.returncode == 0, (out, errors)
            return time.monotonic() - began
        time.sleep(0.2)


@pytest.fixture(scope="module")
def stage(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("rows")
    numbers = range(1, ROWS + 1)
    file = write(folder / "new.psv", *(row(n) for n in numbers), *(row(n) for n in range(1, ROWS, 100)))
    old = write(folder / "old.psv", *(row(n, End=1790000050, ElapsedRaw=50) for n in numbers))
    for name in ("empty", "old"):
        url = databases.migrated(name)
        if name == "old":
            complete(url, old)
    seconds, facts = {}, set()
    for name in ("empty", "old"):
        url = databases.fresh(name)
        seconds[name] = complete(url, file)
        facts |= set(databases.ask(url, FACTS))
    (wanted,) = facts
    assert wanted[0] == ROWS
    return Stage(databases, file, wanted, seconds)


def check_whole_batches(stage: Stage, name: str, url: str) -> int:
    """Rows and counters of a run stand or fall together. Returns how many rows are as the new file has them."""
    ((done,),) = stage.databases.ask(url, "SELECT COUNT(*) FROM jobs WHERE elapsed_seconds = 100")
    (counted,) = stage.databases.ask(
        url, "SELECT COALESCE(SUM(imported), 0), COALESCE(SUM(updated), 0) FROM import_runs"
    )
    ((stored,),) = stage.databases.ask(url, "SELECT COUNT(*) FROM jobs")
    assert (stored, done) == (counted[0], counted[1] if name == "old" else counted[0])
    return int(done)


def check_complete(stage: Stage, url: str) -> None:
    assert stage.databases.ask(url, FACTS) == [stage.wanted], "lost or doubled"
    statuses = [status for (status,) in stage.databases.ask(url, "SELECT status FROM import_runs ORDER BY id")]
    assert (statuses[-1], "running" in statuses) == ("done", False)


def test_a_run_that_is_killed_at_any_moment_loses_nothing_and_the_next_one_completes(stage: Stage) -> None:
    print(f"KILL_SEED={SEED} KILLS={KILLS}")  # noqa: T201 - shown when it fails
    pick = random.Random(SEED)
    cut = 0
    for number in range(KILLS):
        name = ("empty", "old")[number % 2]
        url = stage.databases.fresh(name)
        victim = start(url, stage.file)
        time.sleep((number + pick.random()) / KILLS * stage.seconds[name])
        victim.kill()
        victim.communicate()
        cut += 0 < check_whole_batches(stage, name, url) < ROWS
        complete(url, stage.file)
        check_complete(stage, url)
    assert cut, f"no kill met the middle of a run ({stage.seconds})"


@pytest.mark.postgres
def test_a_database_that_ends_the_connection_is_exit_69_in_words_and_no_half_batch(stage: Stage) -> None:
    url = stage.databases.fresh("empty")
    process = start(url, stage.file)
    name = url.rsplit("/", 1)[1]
    while not stage.databases.ask(url, "SELECT 1 FROM jobs LIMIT 1") and process.poll() is None:
        time.sleep(0.01)
    stage.databases.ask(
        url,
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()",
    )
    _out, errors = process.communicate(timeout=60)
    assert process.returncode == 69, errors
    assert b"database cannot be reached" in errors
    assert b"Traceback" not in errors
    assert check_whole_batches(stage, "empty", url) < ROWS
    complete(url, stage.file)
    check_complete(stage, url)
