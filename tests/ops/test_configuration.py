"""A production site that is half configured refuses to start, and says everything that is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core import checks

from hpcbilling.checks import production
from tests.starts import manage

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "SECRET_KEY": "q8Zr-Lm2_Xv7bT4kWcY1hNfE6sJpR9uGdO3iA0zDyQtKnVxMwSe5HaUgBjCoPlFr7I",
    "ALLOWED_HOSTS": "billing.example.ac.th",
    "SITE_BASE_URL": "https://billing.example.ac.th",
    "METRICS_TOKEN": "x7Kd29mQvR4tZbW8",
}


def test_with_nothing_set_the_start_is_refused_and_every_missing_variable_is_named() -> None:
    clean = {"PATH": os.environ["PATH"], "READ_DOT_ENV": "0"}
    alone = subprocess.run(
        [sys.executable, ROOT / "manage.py", "check"], env=clean, capture_output=True, text=True, check=False
    )
    done = manage("check")
    assert (alone.returncode, alone.stderr) == (78, done.stderr), "what the tests below start is what anybody starts"
    assert done.returncode == 78
    for name in ("SECRET_KEY", "ALLOWED_HOSTS", "SITE_BASE_URL"):
        assert f"{name}: set" in done.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS", "SITE_BASE_URL"])
def test_one_missing_variable_is_enough(name: str) -> None:
    done = manage("check", **{key: value for key, value in GOOD.items() if key != name})
    assert done.returncode != 0
    assert f"{name}: set" in done.stderr
    others = GOOD.keys() - {name}
    assert not any(f"{other}: set" in done.stderr for other in others)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("DATABASE_URL", "junk", "postgres://"),
        ("DATABASE_URL", "mysql://u:open-sesame@h/name", "postgres://"),
        ("DATABASE_URL", "postgres://u:open-sesame@h:abc/name", "postgres://"),
        ("DATABASE_URL", "postgres://u:open-sesame@h/name?conn_max_age=long", "conn_max_age is a whole number"),
        ("DATABASE_URL", "postgres://u:open-sesame@h/name?connect_timeout=1_0", "connect_timeout is a whole number"),
        ("EMAIL_URL", "mail.example.ac.th", "smtp+tls://"),
        ("EMAIL_URL", "smtp://u:open-sesame@h:abc", "smtp+tls://"),
        ("EMAIL_URL", "smtp+tls://", "smtp+tls://"),
        ("DEFAULT_FROM_EMAIL", "nobody", "an address"),
        ("SLURMRESTD_TIMEOUT", "abc", "whole number"),
        ("SLURMRESTD_TIMEOUT", "0", "1 or more"),
        ("AUTH_THROTTLE_MAX_FAILS", "five", "whole number"),
        ("AUTH_THROTTLE_MAX_FAILS", "0", "1 or more"),
        ("AUTH_THROTTLE_WINDOW_SEC", "0", "1 or more"),
        ("AUTH_THROTTLE_LOCK_SEC", "-5", "1 or more"),
        ("PAYMENT_WEBHOOK_TOLERANCE_SEC", "0", "1 or more"),
        ("TRUSTED_PROXY_COUNT", "-1", "0 or more"),
        ("BILLING_INVOICE_PREFIX", "rc", "two of them are the same"),
        ("DUNNING_SUSPEND_DAYS", "3", "DUNNING_PAST_DUE_DAYS (7) or more"),
        ("DUNNING_REMIND_AFTER_DAYS", "7,1", "rising days"),
        ("DUNNING_REMIND_AFTER_DAYS", "soon", "rising days"),
        ("DUNNING_REMIND_BEFORE_DAYS", "-1", "0 to 60"),
        ("SITE_BASE_URL", "https://[billing", "https://billing.example.ac.th is wanted"),
        ("SITE_BASE_URL", "https://u:open-sesame@billing.example.ac.th:abc", "https://billing.example.ac.th is wanted"),
        ("LITELLM_URL", "litellm.example.ac.th:open-sesame", "begins with https://"),
        ("LITELLM_URL", "https://", "begins with https://"),
        ("EXCHANGE_RATES_URL", "ftp://u:open-sesame@rates.example.org/daily.xml", "begins with https://"),
        ("STRIPE_API_URL", "https://[stripe", "begins with https://"),
        ("SLURM_CLUSTER", "two words", "a Slurm cluster"),
        ("SESSION_IDLE_SEC", "99999999999", "60 to 1000000000"),
        ("USAGE_RUNAWAY_DAYS", "9999999", "1 to 36500"),
        *(("TIME_ZONE", name, "Asia/Bangkok") for name in ("Mars", "Factory", "localtime", "right/UTC")),
        ("DATABASE_URL", "postgres://u:open-sesame@h/name?host=other", "host stands in it twice"),
        ("TIME_ZONE", "../../etc/passwd", "Asia/Bangkok"),
        ("LOG_LEVEL", "zzz", "WARNING"),
        ("LOG_FORMAT", "zzz", "json"),
        ("SECRET_KEY_FILE", "/nope", "No such file"),
        ("SECRET_KEY_FILE", "/dev/zero", "more than 65536 characters"),
        ("DEBUG", "perhaps", "1 or 0"),
        ("METRICS_ENABLED", "maybe", "1 or 0"),
        ("BILLING_INVOICE_DAYS", "3_0", "whole number"),
        ("BILLING_TAX_RATE", "1_0", "a percentage"),
        ("BILLING_TAX_RATE", "7e0", "a percentage"),
        ("FOUR_EYES_ABOVE", "5_0000", "an amount"),
        ("PAYMENT_LIMITS", "omise:THB:2_0:150000", "in whole coins"),
    ],
)
def test_a_value_that_cannot_be_used_ends_with_78_and_the_name_of_its_variable(
    name: str, value: str, wanted: str
) -> None:
    done = manage("check", **GOOD | {name: value})
    assert done.returncode == 78, done.stderr
    assert name in done.stderr
    assert wanted in done.stderr
    assert "Traceback" not in done.stderr
    assert "open-sesame" not in done.stderr, "the password of the database is not repeated"


@pytest.mark.parametrize("setting", [{"LOG_LEVEL": "info"}, {"LOG_FORMAT": "TEXT"}, {"DEBUG": ""}, {"DEBUG": "No"}])
def test_capitals_and_other_words_for_no_are_understood(setting: dict[str, str]) -> None:
    assert manage("check", **GOOD | setting).returncode == 0


@pytest.mark.parametrize(
    ("setting", "value", "read"),
    [
        ("ALLOWED_HOSTS", " billing.example.ac.th, 127.0.0.1,,", ["billing.example.ac.th", "127.0.0.1"]),
        ("BILLING_FREE_STATES", "boot_fail, NODE_FAIL", ["BOOT_FAIL", "NODE_FAIL"]),
        ("SECRET_KEY_FALLBACKS", f"{GOOD['SECRET_KEY'][::-1]} , ", [GOOD["SECRET_KEY"][::-1]]),
        ("BILLING_INVOICE_DAYS", " ๓๐ ", 30),
        *(("TIME_ZONE", name, name) for name in ("UTC", "Etc/GMT-7")),
    ],
)
def test_blanks_between_the_items_of_a_list_are_no_part_of_them(setting: str, value: str, read: object) -> None:
    code = f"from django.conf import settings; assert settings.{setting} == {read!r}, settings.{setting}"
    variables = {"PATH": os.environ["PATH"], "READ_DOT_ENV": "0", "DJANGO_SETTINGS_MODULE": "hpcbilling.settings"}
    command = [sys.executable, "-c", code]
    subprocess.run(command, cwd=ROOT, env=variables | GOOD | {setting: value}, check=True)


@pytest.mark.parametrize("target", ["|", "/dev/full", ">&-"])
def test_output_that_nobody_takes_is_told_in_words(target: str) -> None:
    """As ``| head``, a full disk and ``>&-`` do it."""
    line = f"{sys.executable} {ROOT / 'manage.py'} doctor"
    shell = {"|": f"set -o pipefail; {line} | true", "/dev/full": f"{line} >/dev/full", ">&-": f"{line} >&-"}[target]
    clean = {"PATH": os.environ["PATH"], "READ_DOT_ENV": "0", "DATABASE_URL": AWAY["sqlite"], **GOOD}
    done = subprocess.run(["bash", "-c", shell], env=clean, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    if target != ">&-":
        said = "went away" if target == "|" else "The output cannot be written: No space left on device"
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize(("length", "code"), [(49, 78), (50, 0)])
def test_a_short_secret_key_is_refused_like_a_missing_one(length: int, code: int) -> None:
    done = manage("check", **GOOD | {"SECRET_KEY": GOOD["SECRET_KEY"][:length]})
    assert done.returncode == code
    assert ("SECRET_KEY: set a random text of 50 characters" in done.stderr) == bool(code)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff" * 60)
    done = manage("check", **GOOD, SECRET_KEY_FILE=str(tmp_path / "key"))
    assert (done.returncode, "SECRET_KEY_FILE" in done.stderr, "Traceback" in done.stderr) == (78, True, False)


@pytest.mark.parametrize(("mark", "end"), [("", "\n"), ("", "\r\n"), ("\ufeff", "")])
def test_what_editors_put_around_a_secret_is_no_part_of_it(tmp_path: Path, mark: str, end: str) -> None:
    (tmp_path / "key").write_bytes((mark + GOOD["SECRET_KEY"][:49] + end).encode())
    assert manage("check", **GOOD, SECRET_KEY_FILE=str(tmp_path / "key")).returncode == 78


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ({"PAYMENT_CURRENCY": "XYZ"}, "hpcbilling.E008"),
        ({"PAYMENT_CURRENCY": ""}, "hpcbilling.E008"),
        ({"SLURMRESTD_API_VERSION": "40"}, "hpcbilling.E009"),
        ({"SLURMRESTD_API_VERSION": "v0.0.40/../x"}, "hpcbilling.E009"),
    ],
)
def test_a_word_that_is_none_is_reported_by_check_and_doctor(setting: dict[str, str], code: str) -> None:
    for command in (("check",), ("check", "--deploy")):
        done = manage(*command, **GOOD, **setting)
        assert (done.returncode, code in done.stderr) == (1, True), command
    done = manage("doctor", **GOOD, **setting)
    assert (done.returncode, code in done.stdout) == (78, True)


def test_without_a_token_a_production_site_has_no_metrics() -> None:
    without = {name: value for name, value in GOOD.items() if name != "METRICS_TOKEN"}
    code = "from django.conf import settings; print(settings.METRICS_ENABLED)"
    for environment, enabled in ((without, "False"), (GOOD, "True"), ({"DEBUG": "1"}, "True")):
        assert manage("shell", "--no-imports", "-c", code, **environment).stdout.strip() == enabled


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
        ({"PAYMENT_PROVIDER_NAMES": ["dummy"]}, "hpcbilling.E004"),
        ({"METRICS_TOKEN": ""}, "hpcbilling.W005"),
        ({"METRICS_TOKEN": "short"}, "hpcbilling.E006"),
        ({"METRICS_TOKEN": "change-me-change-me"}, "hpcbilling.E006"),
    ],
)
def test_the_deployment_check_names_each_weakness(settings: Any, change: dict[str, Any], code: str) -> None:
    good = {**GOOD, "ALLOWED_HOSTS": ["billing.example.ac.th"], "PAYMENT_PROVIDER_NAMES": [], "METRICS_ENABLED": True}
    for name, value in good.items():
        setattr(settings, name, value)
    assert production(None) == []
    for name, value in change.items():
        setattr(settings, name, value)
    assert [message.id for message in production(None)] == [code]


def test_an_unknown_provider_is_an_error_everywhere(settings: Any) -> None:
    settings.PAYMENT_PROVIDER_NAMES = ["paypall", "dummy", "cash"]
    found = [message.msg for message in checks.run_checks() if message.id == "hpcbilling.E007"]
    assert ["paypall" in found[0], "cash" in found[1]] == [True, True]
    assert len(found) == 2


# --- a database that does not answer -----------------------------------------
AWAY = {
    "sqlite": "sqlite:////nonexistent/db.sqlite3",
    "postgres": "postgres://billing:kettle-93-harbour@127.0.0.1:1/billing",
}


@pytest.mark.parametrize("address", AWAY.values(), ids=AWAY)
@pytest.mark.parametrize("command", ["migrate", "showmigrations", "bootstrap_admin", "clearsessions", "check_books"])
def test_without_a_database_every_command_ends_with_69_and_says_so_without_a_traceback(
    command: str, address: str
) -> None:
    done = manage(command, **GOOD | {"DATABASE_URL": address, "ADMIN_PASSWORD": "violet-harbour-93-kettle"})
    assert (done.returncode, "Traceback" in done.stderr) == (69, False), done.stderr
    assert "The database cannot be reached or refused the work (see DATABASE_URL)" in done.stderr
    assert "kettle-93" not in done.stderr


def test_whoever_looks_for_a_fault_may_ask_for_the_traceback() -> None:
    done = manage("migrate", "--traceback", **GOOD | {"DATABASE_URL": AWAY["sqlite"]})
    assert (done.returncode, "Traceback" in done.stderr) == (1, True)


def test_every_cookie_of_production_is_of_this_host_alone() -> None:
    """``__Host-``: browsers take it over TLS, for this host and all of its paths, and from no other host."""
    show = (
        "from django.conf import settings as s\n"
        "print(*[(getattr(s, f'{each}_COOKIE_NAME'), getattr(s, f'{each}_COOKIE_SECURE'), getattr(s, f'{each}_COOKIE_PATH'),"
        " getattr(s, f'{each}_COOKIE_DOMAIN')) for each in ('SESSION', 'CSRF', 'LANGUAGE')])"
    )
    done = manage("shell", "--verbosity=0", "--command", show, **GOOD)
    cookies = re.findall(r"\('(__Host-[a-z]+)', True, '/', None\)", done.stdout)
    assert cookies == ["__Host-sessionid", "__Host-csrftoken", "__Host-language"], done.stdout + done.stderr
