"""The .env file in the folder of the project, as a command that somebody types reads it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.test_configuration import GOOD
from tests.ops.test_unsafe import named

ROOT = Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0
# Root reads everything; without its capabilities it is a user like others.
LIKE_OTHERS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if IS_ROOT and shutil.which("setpriv") else []


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A copy of the program whose .env is a link to a file elsewhere, as the document on operations makes it."""
    keep_out = shutil.ignore_patterns(".*", "tests", "bench", "docs", "*.sqlite3*", "staticfiles", "var")
    shutil.copytree(ROOT, tmp_path / "app", ignore=keep_out)
    (tmp_path / "site.env").write_text("".join(f"{name}={value}\n" for name, value in GOOD.items()))
    (tmp_path / "app" / ".env").symlink_to(tmp_path / "site.env")
    return tmp_path / "app"


def check(app: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [*LIKE_OTHERS, sys.executable, "manage.py", "check"]
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(command, cwd=app, env=environment, capture_output=True, text=True, check=False)


def test_a_command_reads_the_file_that_env_is_a_link_to(app: Path) -> None:
    assert check(app).returncode == 0


@pytest.mark.skipif(IS_ROOT and not LIKE_OTHERS, reason="root reads every file")
def test_a_file_that_this_user_may_not_read_is_named_beside_all_that_is_missing_then(app: Path) -> None:
    (app.parent / "site.env").chmod(0)
    done = check(app)
    assert (done.returncode, named(done.stderr)) == (78, {"SECRET_KEY", "ALLOWED_HOSTS", "SITE_BASE_URL"})
    assert f"{app / '.env'} cannot be read by this user" in done.stderr
    assert check(app, **GOOD).returncode == 0, "as the units do it, which bring the variables"


def test_lines_as_systemd_takes_them_are_read(app: Path) -> None:
    lines = "".join(f"  {name} = {value}  \r\n" for name, value in GOOD.items())
    (app.parent / "site.env").write_bytes(f"\ufeff# as Windows writes it\r\n; so too\r\n{lines}".encode())
    done = check(app)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_line_that_is_none_is_told_by_its_number_and_never_repeated(app: Path) -> None:
    with (app.parent / "site.env").open("a") as file:
        file.write("AUDIT-KEY=open-sesame\n")
    done = check(app)
    assert (done.returncode, f"line {len(GOOD) + 1}: NAME=value" in done.stderr) == (0, True), done.stderr
    assert "open-sesame" not in done.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding_is_named(app: Path, encoding: str) -> None:
    (app.parent / "site.env").write_bytes("ORG_NAME=Universit\u00e9\n".encode(encoding))
    done = check(app)
    assert (done.returncode, "Traceback" in done.stderr) == (78, False)
    assert f"{app / '.env'} is not UTF-8 text" in done.stderr
