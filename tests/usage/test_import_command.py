"""manage.py import_usage: the JSON to the letter, and an exit code for every kind of trouble."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection

from core.commands import command_error
from core.database.locks import run_lock
from tests.starts import manage
from tests.usage.conftest import Daemon
from tests.usage.helpers import HEADER, LIVE, row, write
from usage.models import Job

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parent.parent.parent


def run(*arguments: str) -> tuple[int, str]:
    """(exit code, output or message) of the command with its real argument parser."""
    out = StringIO()
    try:
        call_command("import_usage", *arguments, stdout=out)
    except CommandError as error:
        # A parser error carries no return code of its own; Django's command line turns it into 2.
        return error.returncode if str(error)[:5] != "Error" else 2, str(error)
    except SystemExit as exit_:
        return int(exit_.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "usage.psv", row(1), row(2))


def test_the_json_has_exactly_the_names_of_the_interface(file: Path) -> None:
    code, text = run("--format", "json", "--source", "csv", "--file", str(file), "--timezone", "UTC")
    assert code == 0
    result = json.loads(text)
    assert list(result) == [
        "source", "cluster", "rows_read", "imported", "updated", "duplicate", "steps", "pending", "quarantined",
        "by_reason", "jobs_total", "seconds", "notes",
    ]  # fmt: skip
    assert (result["imported"], result["jobs_total"], result["by_reason"], result["notes"]) == (2, 2, {}, [])


def test_refused_rows_make_exit_three_and_are_named(tmp_path: Path) -> None:
    file = write(tmp_path / "u.psv", row(1), "broken")
    code, text = run("--file", str(file))
    assert code == 3
    assert "refused: field_count" in text
    assert Job.objects.count() == 1


def test_days_are_the_sites_and_both_included_an_end_instant_is_not(tmp_path: Path) -> None:
    # Midnight in Bangkok is 17:00 UTC: 1790874000 is 2026-10-02 00:00 there.
    file = write(tmp_path / "u.psv", row(1, End=1790873999), row(2, End=1790874000), row(3, End=1790960399),
                 row(4, End=1790960400))  # fmt: skip
    assert (
        json.loads(run("--format=json", "--file", str(file), "--start=2026-10-02", "--end=2026-10-02")[1])["imported"]
        == 2
    )
    assert set(Job.objects.values_list("job_id", flat=True)) == {2, 3}
    until = run("--format=json", "--file", str(file), "--end=2026-10-01T17:00:00Z")[1]
    assert json.loads(until)["imported"] == 1


def test_a_dry_run_stores_nothing(file: Path) -> None:
    assert json.loads(run("--file", str(file), "--dry-run", "--format=json")[1])["imported"] == 2
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--file", "/does/not/exist"], 2, "cannot be read"),
        (["--file", "FILE", "--start", "2026-10-02", "--end", "2026-10-01"], 2, "window"),
        (["--file", "FILE", "--timezone", "Mars/Olympus"], 2, "not a time zone"),
        (["--file", "FILE", "--start", "yesterday"], 2, "neither a day"),
        (["--file", "FILE", "--delimiter", ";"], 1, "delimiter"),
        (["--file", "FILE", "--source", "abacus"], 2, "invalid choice"),
        (["--source", "csv"], 78, "FALLBACK_CSV"),
        (["--source", "slurmrestd"], 78, "SLURMRESTD_URL"),
        (["--source", "sacct"], 69, "not installed"),
        (["--source", "auto"], 69, "No usage source answered"),
    ],
)
def test_each_kind_of_trouble_has_its_exit_code_and_words(
    file: Path, settings: Any, no_sacct: None, arguments: list[str], code: int, words: str
) -> None:
    settings.SLURMRESTD_URL = settings.FALLBACK_CSV = ""
    got, text = run(*[str(file) if argument == "FILE" else argument for argument in arguments])
    assert (got, words in text) == (code, True), text
    assert not Job.objects.exists()


@pytest.mark.parametrize("content", ["", HEADER + "\n", "<html>", "x;y\n1;2\n"])
def test_a_file_without_usage_in_it_is_exit_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "u").write_text(content)
    assert run("--file", str(tmp_path / "u"))[0] == 1


def test_an_expired_token_and_a_web_page_from_rest_are_exit_69(slurmrestd: Daemon) -> None:
    for body, words in (((LIVE / "error-expired-token.json").read_bytes(), "expired"), (b"<html>", "web page")):
        slurmrestd.answers["/slurmdb/v0.0.38/jobs"] = (200, body, "application/json")
        code, text = run("--source", "slurmrestd")
        assert (code, words in text) == (69, True)


def test_a_second_run_at_the_same_time_is_exit_75(file: Path) -> None:
    with run_lock("import:c1"):
        code, text = run("--file", str(file))
    assert (code, "under way" in text) == (75, True)


# --- real processes ------------------------------------------------------------------
@pytest.mark.parametrize(
    "url", ["postgres://nobody:x@127.0.0.1:9/none", "sqlite:////proc/none/none.sqlite3"], ids=["postgresql", "sqlite"]
)
def test_a_database_that_is_down_is_exit_69_and_says_so(file: Path, url: str) -> None:
    done = manage("import_usage", "--file", str(file), "--timezone", "UTC", DEBUG="1", DATABASE_URL=url)
    assert done.returncode == 69, done.stderr
    assert "database cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("argument", ["--start=0001-01-01", "--end=9999-12-31", "--start=1900-01-01T00:00:00Z"])
@pytest.mark.parametrize("name", ["import_usage", "reconcile_usage"])
def test_days_that_no_cluster_has_seen_are_usage_errors(name: str, argument: str) -> None:
    others = ["--start=2026-10-01", "--end=2026-10-02"]
    with pytest.raises(CommandError, match="is not between 1971 and 2099"):
        call_command(name, *[other for other in others if other[:5] != argument[:5]], argument)


def test_a_database_without_tables_says_to_migrate(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/empty.sqlite3"
    done = manage("import_usage", "--file", "README.md", DEBUG="1", DATABASE_URL=address)
    assert (done.returncode, "manage.py migrate" in done.stderr) == (78, True), done.stderr


@pytest.mark.postgres
def test_an_unmigrated_postgresql_is_known_by_its_code() -> None:
    with connection.cursor() as cursor, pytest.raises(ProgrammingError) as caught:
        cursor.execute("SELECT * FROM no_such_table_here")
    error = command_error(caught.value)
    assert (error.returncode, "manage.py migrate" in str(error)) == (78, True)
