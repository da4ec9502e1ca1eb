"""``doctor`` asks what it can ask, says what blocks, and what else somebody should know."""

from __future__ import annotations

import json
import socket
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from hpcbilling import diagnosis
from tests.factories import make_job
from tests.ops.test_configuration import GOOD
from tests.starts import manage
from tests.usage.conftest import Daemon, Sacct
from usage.sources.sacct import FIELDS


def doctor() -> tuple[int, dict[str, dict[str, str]]]:
    out, code = StringIO(), 0
    try:
        call_command("doctor", format="json", stdout=out)
    except SystemExit as leaving:
        code = int(str(leaving.code))
    return code, {item["name"]: item for item in json.loads(out.getvalue())["findings"]}


@pytest.mark.django_db(transaction=True)
def test_doctor_finds_nothing_that_blocks_in_a_sound_installation(settings: Any) -> None:
    settings.DEBUG = True
    code, findings = doctor()
    assert (code, [item for item in findings.values() if item["level"] == "problem"]) == (0, [])
    assert {
        "database",
        "migrations",
        "writable",
        "usage source",
        "payments by dummy",
        "address",
        "time zone",
        "Thai",
    } <= set(findings)
    assert findings["payments by dummy"]["level"] == "note", "dummy works here, and is worth a word"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"PAYMENT_PROVIDER_NAMES": ["paypall"]}, "payments by paypall"),
        ({"TIME_ZONE": "Asia/Atlantis"}, "time zone"),
        ({"DEBUG": False, "SITE_BASE_URL": "http://x"}, "address"),
        ({"FALLBACK_CSV": "/nonexistent.csv", "SLURMRESTD_URL": ""}, "usage source"),
    ],
)
def test_doctor_exits_78_and_says_what_blocks(
    settings: Any, monkeypatch: Any, tmp_path: Path, change: dict[str, Any], name: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for key, value in change.items():
        settings.__setattr__(key, value)
    code, findings = doctor()
    assert (code, findings[name]["level"]) == (78, "problem")


@pytest.mark.django_db(transaction=True)
def test_doctor_asks_sacct_in_utc_for_one_second_and_believes_the_answer(
    settings: Any, sacct: Sacct, monkeypatch: Any
) -> None:
    settings.SLURMRESTD_URL = settings.FALLBACK_CSV = ""
    monkeypatch.setenv("TZ", "Asia/Bangkok")
    sacct.says("\x1f".join(FIELDS).encode() + b"\n")
    finding = doctor()[1]["usage source"]
    assert (finding["level"], finding["message"]) == ("ok", f"Usage comes from {sacct.folder}/sacct, which answers.")
    (call,) = sacct.calls
    assert call[5:9] == ["-S", "2000-01-01T00:00:00", "-E", "2000-01-01T00:00:01"]
    assert sacct.environment[0] == "TZ=UTC"


@pytest.mark.django_db(transaction=True)
def test_doctor_repeats_what_a_sacct_without_a_cluster_says_and_lets_the_site_start(
    settings: Any, sacct: Sacct
) -> None:
    settings.DEBUG, settings.SLURMRESTD_URL, settings.FALLBACK_CSV = True, "", ""
    sacct.says(errors="sacct: fatal: Could not establish a configuration source", code=1)
    code, findings = doctor()
    assert (code, findings["usage source"]["level"]) == (0, "note")
    assert "Could not establish a configuration source" in findings["usage source"]["message"]
    assert "Usage comes from" not in findings["usage source"]["message"]


@pytest.mark.django_db(transaction=True)
def test_doctor_waits_for_no_source_longer_than_it_says(settings: Any, sacct: Sacct, monkeypatch: Any) -> None:
    settings.SLURMRESTD_URL = settings.FALLBACK_CSV = ""
    assert diagnosis.SLURM_SECONDS == 10
    monkeypatch.setattr(diagnosis, "SLURM_SECONDS", 0.5)
    sacct.says(b"", seconds=30)
    assert "within 0.5 seconds" in doctor()[1]["usage source"]["message"]


@pytest.mark.django_db(transaction=True)
def test_doctor_asks_slurmrestd_and_repeats_its_refusal(settings: Any, slurmrestd: Daemon, no_sacct: None) -> None:
    settings.FALLBACK_CSV = ""
    finding = doctor()[1]["usage source"]
    assert (finding["level"], finding["message"]) == (
        "ok", f"Usage comes from slurmrestd at {slurmrestd.url}, which answers.",
    )  # fmt: skip
    slurmrestd.answers["/slurmdb/v0.0.38/jobs"] = (401, b"Authentication failure", "text/plain")
    finding = doctor()[1]["usage source"]
    assert finding["level"] == "note"
    assert "renew SLURMRESTD_TOKEN" in finding["message"]
    settings.SLURMRESTD_TOKEN = settings.SLURM_JWT = ""
    assert "SLURMRESTD_TOKEN (or SLURM_JWT) is not set" in doctor()[1]["usage source"]["message"]


@pytest.mark.django_db(transaction=True)
def test_doctor_names_the_source_that_steps_in(settings: Any, sacct: Sacct) -> None:
    settings.SLURMRESTD_URL, settings.SLURMRESTD_TOKEN = "http://127.0.0.1:1", "x"
    sacct.says("\x1f".join(FIELDS).encode() + b"\n")
    finding = doctor()[1]["usage source"]
    assert finding["level"] == "note"
    assert "slurmrestd at http://127.0.0.1:1 does not answer" in finding["message"]
    assert finding["message"].endswith(f"Usage comes from {sacct.folder}/sacct, which answers.")


def test_doctor_says_that_the_database_is_away() -> None:
    done = manage("doctor", **GOOD)
    assert done.returncode == 78
    assert "DATABASE_URL" in done.stdout


@pytest.mark.django_db
def test_doctor_tries_the_database_of_the_site_too_where_commands_go_past_it(settings: Any, tmp_path: Path) -> None:
    settings.DATABASE_DIRECT_URL = "postgres://past@the.pooler/site"
    code, findings = doctor()
    assert findings["database of the site"]["level"] == "ok"
    settings.DATABASE_OF_THE_SITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "no" / "such.db")}
    code, findings = doctor()
    assert (code, findings["database"]["level"]) == (78, "ok")
    told = findings["database of the site"]
    assert told["level"] == "problem"
    assert "look at DATABASE_URL: unable to open" in told["message"]


@pytest.mark.django_db
def test_doctor_notes_a_mail_server_at_which_nobody_answers(settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings.EMAIL_PORT = listening.getsockname()[1]
        assert doctor()[1]["e-mail"]["level"] == "ok"
    found = doctor()[1]["e-mail"]
    assert found["level"] == "note"
    assert f"127.0.0.1, port {settings.EMAIL_PORT}; look at EMAIL_URL" in found["message"]


@pytest.mark.django_db
def test_doctor_notes_jobs_whose_users_have_no_account_here(alice: Any) -> None:
    make_job(username="alice")
    assert "users" not in doctor()[1]
    make_job(username="nobody-here")
    found = doctor()[1]["users"]
    assert found["level"] == "note"
    assert "the jobs of 1 logins that have no user here, such as nobody-here." in found["message"]


@pytest.mark.django_db
def test_doctor_says_which_font_sets_thai_documents_or_what_to_install(settings: Any, tmp_path: Path) -> None:
    settings.PDF_FONT_FOLDERS = [str(tmp_path)]
    _code, findings = doctor()
    assert findings["documents"]["level"] == "note"
    assert "fonts-thai-tlwg" in findings["documents"]["message"]
    settings.PDF_FONT = str(tmp_path / "gone.ttf")
    code, findings = doctor()
    assert (code, findings["documents"]["level"]) == (78, "problem")
    assert "gone.ttf" in findings["documents"]["message"]
