"""A production site that is half configured refuses to start, and says everything that is missing."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core import checks

from hpcbilling.checks import production
from hpcbilling.unsafe import is_weak
from tests.starts import manage

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "SECRET_KEY": "q8Zr-Lm2_Xv7bT4kWcY1hNfE6sJpR9uGdO3iA0zDyQtKnVxMwSe5HaUgBjCoPlFr7I",
    "ALLOWED_HOSTS": "billing.example.ac.th",
    "SITE_BASE_URL": "https://billing.example.ac.th",
    "METRICS_TOKEN": "x7" * 16,
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
        ("TIME_ZONE", "Mars", "Asia/Bangkok"),
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
    clean = {"PATH": os.environ["PATH"], "READ_DOT_ENV": "0", "DATABASE_URL": "sqlite://:memory:", **GOOD}
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


# --- what is set, and not safe -------------------------------------------------
REPEATED = ("abcdefghijk" * 6, "q8Zr-Lm2_Xv7" * 6, "k9" + "xyz-0123abc" * 7, "kR7-vQ2_mZ8xN4wB1cT6y" * 3,
            "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")  # fmt: skip
SAMPLE_KEYS = tuple(
    f"{words}-q8Zr-Lm2_Xv7bT4kWcY1hNfE6sJpR9uGdO3iA0zDyQtKnVxMwS"
    for words in ("please-change-me", "PLEASE_CHANGE_THIS", "changeme", "replace-me", "your-secret-key", "example")
)
NOT_A_HOST_ALONE = ("admin:open-sesame@billing.example.ac.th", "admin@billing.example.ac.th", "billing.example.ac.th/billing",
                    "billing.example.ac.th?next=x", "billing.example.ac.th/?", "billing.example.ac.th#top")  # fmt: skip
LIVE_STRIPE = {"STRIPE_SECRET_KEY": "sk_live_x", "STRIPE_WEBHOOK_SECRET": "whsec_m4Tq9ZbX2vKd7RwLc1"}
UNSAFE = {
    "SECRET_KEY": [{"SECRET_KEY": "x" * 60}, {"SECRET_KEY": "insecure-" + GOOD["SECRET_KEY"]},
                   {"SECRET_KEY": "django-insecure-" + GOOD["SECRET_KEY"]}, {"SECRET_KEY": "short"}, {"SECRET_KEY": ""},
                   *({"SECRET_KEY": text} for text in REPEATED), *({"SECRET_KEY": text} for text in SAMPLE_KEYS)],
    "SECRET_KEY_FALLBACKS": [{"SECRET_KEY_FALLBACKS": "old"}, {"SECRET_KEY_FALLBACKS": "0123456789" * 6}],
    "ALLOWED_HOSTS": [{"ALLOWED_HOSTS": "*"}, {"ALLOWED_HOSTS": "a.example.ac.th,*"}, {"ALLOWED_HOSTS": "."},
                      {"ALLOWED_HOSTS": "*.example.ac.th"}],
    "SITE_BASE_URL": [{"SITE_BASE_URL": "http://billing.example.ac.th"}, {"SITE_BASE_URL": "billing.example.ac.th"},
                      {"SITE_BASE_URL": "https://"},
                      *({"SITE_BASE_URL": f"https://{rest}"} for rest in NOT_A_HOST_ALONE)],
    "CSRF_TRUSTED_ORIGINS": [{"CSRF_TRUSTED_ORIGINS": "http://other.example"}, {"CSRF_TRUSTED_ORIGINS": "https://*.example"}],
    "DATABASE_URL": [{"DATABASE_URL": f"postgres://billing:{word}@db:5432/billing"}
                     for word in ("postgres", "password", "changeme", "billing", "hpcbilling", "CHANGE-ME")]
                    + [{"DATABASE_URL": "postgres://billing@db.example.ac.th/billing"}],
    "ADMIN_PASSWORD": [{"ADMIN_PASSWORD": word} for word in ("admin", "changeme", "hpc-demo", "short-9", "correct-horse-battery")],
    "EMAIL_URL": [{"EMAIL_URL": "smtp+tls://billing:password@mail.example.ac.th:587"}],
    "SEED_DEMO_USERS": [{"SEED_DEMO_USERS": "1"}],
    "PAYMENT_PROVIDER": [{"PAYMENT_PROVIDER": "dummy"}, {"PAYMENT_PROVIDER": "stripe,dummy", **LIVE_STRIPE}],
    "STRIPE_WEBHOOK_SECRET": [{"PAYMENT_PROVIDER": "stripe", **LIVE_STRIPE, "STRIPE_WEBHOOK_SECRET": word}
                              for word in ("", " ", "changeme", "x", "whsec_x", "w" * 40, "abc")],
    "OMISE_WEBHOOK_SECRET_OLD": [{"OMISE_WEBHOOK_SECRET_OLD": "k9"}],
    "RAZORPAY_WEBHOOK_SECRET": [{"RAZORPAY_WEBHOOK_SECRET": "abababababababababab"}],
    "PAYMENT_WEBHOOK_TOLERANCE_SEC": [{"PAYMENT_WEBHOOK_TOLERANCE_SEC": "864000"}, {"PAYMENT_WEBHOOK_TOLERANCE_SEC": "3601"}],
    "WEBHOOK_ALLOWED_NETWORKS": [{"WEBHOOK_ALLOWED_NETWORKS": text}
                                 for text in ("0.0.0.0/0", "::/0", "10.20.0.0/16,0.0.0.0/0", "0.0.0.0/1,128.0.0.0/1")],
    **{name: [{name: address} for address in ("http://127.0.0.1:12111", "https://pay.example.ac.th")]
       for name in ("STRIPE_API_URL", "OMISE_API_URL", "RAZORPAY_API_URL")},
    "METRICS_TOKEN": [{"METRICS_ENABLED": "1", "METRICS_TOKEN": ""}, {"METRICS_TOKEN": "short"}],
}  # fmt: skip


SHOWN = ("SITE_BASE_URL", "ALLOWED_HOSTS", "WEBHOOK_ALLOWED_NETWORKS")


def named(message: str) -> set[str]:
    """The variables that a refusal names."""
    return set(re.findall(r"^  (\w+): ", message, re.M))


@pytest.mark.parametrize(("name", "change"), [(name, change) for name, all_ in UNSAFE.items() for change in all_])
def test_each_unsafe_setting_is_refused_by_its_name_and_no_other_is(name: str, change: dict[str, str]) -> None:
    done = manage("check", **GOOD | change)
    assert done.returncode == 78, done.stdout
    assert named(done.stderr) == {name}
    for value in change.values():
        assert len(value) < 8 or name in SHOWN or value not in done.stderr, "no secret"


@pytest.mark.parametrize(
    "change",
    [
        {"SECRET_KEY": "f3a9c1d07b5e82464f9d0c6ab17e3852d4609bf1ac8e7235"[:48] + "9e"},
        {"WEBHOOK_ALLOWED_NETWORKS": "10.0.0.0/8,fc00::/7,192.168.7.0/24"},
        {"PAYMENT_WEBHOOK_TOLERANCE_SEC": "3600"},
        {"SITE_BASE_URL": "https://billing.example.ac.th:8443/"},
        {"STRIPE_API_URL": "https://api.stripe.com/"},
        {"PAYMENT_PROVIDER": "stripe", **LIVE_STRIPE},
    ],
)
def test_what_only_looks_like_an_unsafe_setting_is_taken(change: dict[str, str]) -> None:
    done = manage("check", **GOOD | change)
    assert done.returncode == 0, done.stderr


def test_keys_that_the_documented_command_makes_are_never_refused() -> None:
    makers = (secrets.token_urlsafe, secrets.token_hex, lambda size: secrets.token_bytes(size).hex().upper())
    keys = [make(size) for make in makers for size in (40, 64, 500) for _ in range(300)]
    assert [key for key in keys if is_weak(key)] == []


EVERYTHING = {name: value for changes in UNSAFE.values() for name, value in changes[0].items()} | {
    "PAYMENT_PROVIDER": "stripe,dummy"
}


def test_everything_unsafe_is_named_in_one_message_with_what_cannot_be_read_at_all() -> None:
    done = manage("migrate", **EVERYTHING | {"TIME_ZONE": "Mars", "SACCT_TIMEOUT": "soon"})
    assert done.returncode == 78
    assert named(done.stderr) == UNSAFE.keys()
    assert "TIME_ZONE='Mars'" in done.stderr
    assert "SACCT_TIMEOUT='soon'" in done.stderr
    assert done.stderr.count("Refusing to start") == 1
    assert "Traceback" not in done.stderr


def test_gunicorn_refuses_with_the_same_message_and_code_and_does_not_try_again() -> None:
    clean = {"PATH": os.environ["PATH"], "READ_DOT_ENV": "0"}
    gunicorn = str(Path(sys.executable).parent / "gunicorn")
    done = subprocess.run(
        [gunicorn, "hpcbilling.wsgi", "--bind", "127.0.0.1:0"], cwd=ROOT, env=clean | EVERYTHING, timeout=60,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 78
    assert named(done.stderr) == UNSAFE.keys()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("sign", "word"),
    [
        ({"SITE_BASE_URL": "https://billing.example.ac.th"}, "SITE_BASE_URL"),
        ({"DATABASE_URL": "postgres://u:long-pass-phrase@10.1.2.3/billing"}, "DATABASE_URL"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"STRIPE_SECRET_KEY": "sk_live_123"}, "STRIPE_SECRET_KEY"),
        ({"RAZORPAY_KEY_ID": "rzp_live_123"}, "RAZORPAY_KEY_ID"),
    ],
)
def test_debug_is_refused_where_it_looks_like_production(sign: dict[str, str], word: str) -> None:
    done = manage("check", DEBUG="1", **sign)
    assert (done.returncode, named(done.stderr)) == (78, {"DEBUG"})
    assert word in done.stderr
    assert "long-pass-phrase" not in done.stderr
    assert "live_123" not in done.stderr


@pytest.mark.parametrize(
    "address",
    ["postgres://postgres:postgres@localhost/x", "postgres://u:@//run/postgresql/x", "postgres://u:p@[::1]/x"],
)
def test_a_desk_with_a_database_of_its_own_may_have_debug_and_any_password(address: str) -> None:
    done = manage("check", DEBUG="1", DATABASE_URL=address)
    assert done.returncode == 0, done.stderr


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
