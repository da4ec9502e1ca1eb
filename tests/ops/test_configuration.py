"""A production site that is half configured refuses to start, and says everything that is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.management import call_command

from hpcbilling.checks import production

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "SECRET_KEY": "q8Zr-Lm2_Xv7" * 6,
    "ALLOWED_HOSTS": "billing.example.ac.th",
    "SITE_BASE_URL": "https://billing.example.ac.th",
    "METRICS_TOKEN": "x7" * 16,
}


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """manage.py in an environment that holds nothing but what is given."""
    clean = {"PATH": os.environ["PATH"], "READ_DOT_ENV": "0", "DATABASE_URL": "sqlite:////nonexistent/db.sqlite3"}
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=False)


def test_with_nothing_set_the_start_is_refused_and_every_missing_variable_is_named() -> None:
    done = manage("check")
    assert done.returncode != 0
    for name in ("SECRET_KEY", "ALLOWED_HOSTS", "SITE_BASE_URL"):
        assert f"{name}: set" in done.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS", "SITE_BASE_URL"])
def test_one_missing_variable_is_enough(name: str) -> None:
    done = manage("check", **{key: value for key, value in GOOD.items() if key != name})
    assert done.returncode != 0
    assert f"{name}: set" in done.stderr
    others = GOOD.keys() - {name}
    assert not any(f"{other}: set" in done.stderr for other in others)


def test_the_dummy_provider_is_refused_in_production() -> None:
    done = manage("check", **GOOD, PAYMENT_PROVIDER="dummy")
    assert done.returncode != 0
    assert "PAYMENT_PROVIDER: dummy is for DEBUG=1 only" in done.stderr


def test_a_full_configuration_starts_and_passes_the_deployment_check() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", **GOOD)
    assert done.returncode == 0, done.stderr


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(GOOD["SECRET_KEY"])
    environment = {key: value for key, value in GOOD.items() if key != "SECRET_KEY"}
    assert manage("check", **environment, SECRET_KEY_FILE=str(tmp_path / "key")).returncode == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"SITE_BASE_URL": "http://billing.example.ac.th"}, "hpcbilling.E001"),
        ({"ALLOWED_HOSTS": ["*"]}, "hpcbilling.E002"),
        ({"SECRET_KEY": "short"}, "hpcbilling.E003"),
        ({"SECRET_KEY": "insecure-" + "x" * 60}, "hpcbilling.E003"),
        ({"PAYMENT_PROVIDER": "dummy"}, "hpcbilling.E004"),
        ({"METRICS_TOKEN": ""}, "hpcbilling.W005"),
        ({"METRICS_TOKEN": "short"}, "hpcbilling.E006"),
    ],
)
def test_the_deployment_check_names_each_weakness(settings: Any, change: dict[str, Any], code: str) -> None:
    good = {**GOOD, "ALLOWED_HOSTS": ["billing.example.ac.th"], "PAYMENT_PROVIDER": "", "METRICS_ENABLED": True}
    for name, value in good.items():
        setattr(settings, name, value)
    assert production(None) == []
    for name, value in change.items():
        setattr(settings, name, value)
    assert [message.id for message in production(None)] == [code]


def test_an_unknown_provider_is_an_error_everywhere(settings: Any) -> None:
    settings.PAYMENT_PROVIDER = "paypall"
    assert "hpcbilling.E007" in [message.id for message in checks.run_checks()]


# --- doctor ------------------------------------------------------------------
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
    assert {"database", "migrations", "writable", "usage source", "payments", "address", "time zone", "Thai"} <= set(
        findings
    )
    assert findings["payments"]["level"] == "note", "dummy works here, and is worth a word"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"PAYMENT_PROVIDER": "paypall"}, "payments"),
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


def test_doctor_says_that_the_database_is_away() -> None:
    done = manage("doctor", **GOOD)
    assert done.returncode == 78
    assert "DATABASE_URL" in done.stdout
