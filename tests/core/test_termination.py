"""SIGTERM ends a command as an exception does: nothing half done stays behind."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from core.commands import Terminated, unwinding
from tests.databases import migrated_file
from tests.usage.helpers import HEADER, row

ROOT = Path(__file__).parent.parent.parent
# The table never ends after its first lines; what runs is the command itself.
PROGRAM = """
import sys, time
import django
django.setup()
from django.core.management import execute_from_command_line
from hpcbilling.management.commands import export

def endless(*arguments, **options):
    yield "first line"
    print("begins", flush=True)
    time.sleep(60)

export.table_lines = endless
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""

SMALL_BLOCKS = """
import sys
import django
django.setup()
from django.core.management import execute_from_command_line
from usage.sources import lines

lines.BLOCK = 20_000
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "DATABASE_URL": migrated_file(folder / "site.sqlite3"), "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )


@pytest.mark.parametrize("times", [1, 2])
def test_an_export_that_is_ended_leaves_no_part_of_its_file(tmp_path: Path, times: int) -> None:
    (tmp_path / "out").mkdir()
    file = tmp_path / "out" / "usage.csv"
    with start(tmp_path, "-c", PROGRAM, "export", "usage", "--out", str(file)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        assert [path.name.startswith(".usage.csv.") for path in file.parent.iterdir()] == [True]
        for _ in range(times):
            process.send_signal(signal.SIGTERM)
        _out, errors = process.communicate(timeout=30)
    assert errors == ""
    assert process.returncode in ((143,) if times == 1 else (143, -signal.SIGTERM)), "the second may find it at its end"
    assert list(file.parent.iterdir()) == []


def test_an_import_whose_source_never_ends_is_ended_and_marked_failed(tmp_path: Path) -> None:
    rows = "".join(f"{row(number)}\n" for number in range(1, 2_000))
    command = ["import_usage", "--file", "-", "--timezone", "UTC"]
    with start(tmp_path, "-c", SMALL_BLOCKS, *command) as process, sqlite3.connect(tmp_path / "site.sqlite3") as site:
        assert process.stdin is not None
        process.stdin.write(f"{HEADER}\n{rows}")
        process.stdin.flush()
        deadline = time.monotonic() + 30
        while not site.execute("SELECT 1 FROM import_runs").fetchall():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 143
        assert site.execute("SELECT status FROM import_runs").fetchall() == [("failed",)]
    site.close()


def test_what_was_set_for_sigterm_stays_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def own(*_: Any) -> None:
        """A server's."""

    former = signal.signal(signal.SIGTERM, own)
    try:
        with unwinding():
            assert signal.getsignal(signal.SIGTERM) is own
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with pytest.raises(Terminated), unwinding():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, former)
