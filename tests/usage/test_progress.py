"""Progress of an import: drawn for somebody at a terminal, never for cron, and never into the result."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.databases import migrated_file
from tests.usage.helpers import row, write

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Path]:
    folder = tmp_path_factory.mktemp("progress")
    environment = {
        **os.environ,
        "DEBUG": "1",
        "READ_DOT_ENV": "0",
        "DATABASE_URL": migrated_file(folder / "own.sqlite3"),
    }
    return environment, write(folder / "usage.psv", *(row(number) for number in range(1, 301)))


def command(file: Path, output: str) -> list[str]:
    return [sys.executable, "manage.py", "import_usage", "--file", str(file), "--timezone=UTC", f"--format={output}"]


@pytest.mark.parametrize(("output", "columns"), [("text", 100), ("json", 100), ("json", 0)])
def test_a_terminal_sees_rows_and_their_rate_and_the_result_stays_clean(
    prepared: tuple[dict[str, str], Path], output: str, columns: int
) -> None:
    environment, file = prepared
    keeper, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    done = subprocess.Popen(command(file, output), cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    drawn = b""
    while True:
        try:
            piece = os.read(keeper, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        drawn += piece
    assert done.stdout
    result = done.stdout.read().decode()
    assert done.wait(timeout=60) == 0
    os.close(keeper)
    assert re.search(rb"\b300(\.0)? rows|300/300", drawn), drawn
    assert b"usage.psv" in drawn, drawn
    assert b"rows/s" in drawn, drawn
    assert "rows/s" not in result
    if output == "json":
        assert json.loads(result)["rows_read"] == 300


def test_a_pipe_and_a_log_file_see_nothing(prepared: tuple[dict[str, str], Path], tmp_path: Path) -> None:
    environment, file = prepared
    piped = subprocess.run(
        command(file, "text"), cwd=ROOT, env=environment, capture_output=True, check=False, timeout=60
    )
    assert (piped.returncode, piped.stderr) == (0, b"")
    with (tmp_path / "log").open("wb") as log:
        subprocess.run(command(file, "json"), cwd=ROOT, env=environment, stderr=log, stdout=log, check=True, timeout=60)
    assert json.loads((tmp_path / "log").read_text())["duplicate"] == 300
