"""What is set and not safe: refused at the start by its name, all of it at once; what only looks like it is taken."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from hpcbilling.unsafe import is_here, is_plain, is_weak
from tests.ops.test_configuration import GOOD, ROOT
from tests.starts import manage

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
                      *({"ALLOWED_HOSTS": text} for text in ("*.example.ac.th", ".th", ".ac.th", "a.example.ac.th,.co.th"))],
    "SITE_BASE_URL": [{"SITE_BASE_URL": "http://billing.example.ac.th"}, {"SITE_BASE_URL": "billing.example.ac.th"},
                      {"SITE_BASE_URL": "https://"},
                      *({"SITE_BASE_URL": f"https://{rest}"} for rest in NOT_A_HOST_ALONE)],
    "CSRF_TRUSTED_ORIGINS": [{"CSRF_TRUSTED_ORIGINS": "http://other.example"}, {"CSRF_TRUSTED_ORIGINS": "https://*.example"}],
    "DATABASE_URL": [{"DATABASE_URL": f"postgres://billing:{word}@db:5432/billing"}
                     for word in ("postgres", "password", "changeme", "billing", "hpcbilling", "CHANGE-ME")]
                    + [{"DATABASE_URL": text} for text in (
                        "postgres://billing@db.example.ac.th/billing", "postgres://billing@/billing?host=db.example.ac.th",
                        "postgres://billing@/billing?hostaddr=192.0.2.9", "postgres://billing@/billing?host=localhost,db.example",
                        "postgres://billing@localhost/billing?password=changeme", "sqlite://", "sqlite://:memory:")],
    "ADMIN_PASSWORD": [{"ADMIN_PASSWORD": word} for word in ("admin", "changeme", "hpc-demo", "short-9", "correct-horse-battery")],
    "EMAIL_URL": [{"EMAIL_URL": text} for text in (
        "smtp+tls://billing:password@mail.example.ac.th:587", "dummymail://", "memorymail://", "filemail:///var/mail/billing",
        "consolemail://")],
    "SEED_DEMO_USERS": [{"SEED_DEMO_USERS": "1"}],
    "PAYMENT_PROVIDER": [{"PAYMENT_PROVIDER": "dummy"}, {"PAYMENT_PROVIDER": "stripe,dummy", **LIVE_STRIPE}],
    "STRIPE_WEBHOOK_SECRET": [{"PAYMENT_PROVIDER": "stripe", **LIVE_STRIPE, "STRIPE_WEBHOOK_SECRET": word}
                              for word in ("", " ", "changeme", "x", "whsec_", " whsec_ ", "whsec_x", "w" * 40, "abc", "whsec_whsec_whsec_whsec")],
    "OMISE_WEBHOOK_SECRET": [{"OMISE_WEBHOOK_SECRET": word} for word in ("q9Zr4TtLmB2xV7kPs1Wd8Y", "c2VjcmV0!c2VjcmV0c2VjcmV0")],
    "OMISE_WEBHOOK_SECRET_OLD": [{"OMISE_WEBHOOK_SECRET_OLD": word}
                                 for word in ("k9", "correct-horse-battery-staple", "q9Zr4TtLmB2xV7kPs1Wd8Y")],
    "STRIPE_SECRET_KEY": [{"STRIPE_SECRET_KEY": word}
                          for word in ("x", "changeme", "pk_live_m4Tq9ZbX2v")],
    "OMISE_SECRET_KEY": [{"OMISE_SECRET_KEY": "pkey_m4Tq9ZbX2v"}],
    "RAZORPAY_KEY_ID": [{"RAZORPAY_KEY_ID": "m4Tq9ZbX2v"}],
    "RAZORPAY_WEBHOOK_SECRET": [{"RAZORPAY_WEBHOOK_SECRET": "abababababababababab"}],
    "PAYMENT_WEBHOOK_TOLERANCE_SEC": [{"PAYMENT_WEBHOOK_TOLERANCE_SEC": "864000"}, {"PAYMENT_WEBHOOK_TOLERANCE_SEC": "3601"}],
    "WEBHOOK_ALLOWED_NETWORKS": [{"WEBHOOK_ALLOWED_NETWORKS": text}
                                 for text in ("0.0.0.0/0", "::/0", "10.20.0.0/16,0.0.0.0/0", "0.0.0.0/1,128.0.0.0/1", "::ffff:0:0/96",
                                              "64:ff9b::/100", "2000::/8", "169.254.169.254/32", "fe80::/64")],
    "AUTH_THROTTLE_MAX_FAILS": [{"AUTH_THROTTLE_MAX_FAILS": "21"}],
    **{name: [{name: address} for address in ("http://127.0.0.1:12111", "https://pay.example.ac.th")]
       for name in ("STRIPE_API_URL", "OMISE_API_URL", "RAZORPAY_API_URL")},
    "METRICS_TOKEN": [{"METRICS_ENABLED": "1", "METRICS_TOKEN": ""}, {"METRICS_TOKEN": "short"},
                      *({"METRICS_TOKEN": text} for text in ("change-me-change-me", "x" * 20, "x7" * 16, "abcdefghijklmnop"))],
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
        {"WEBHOOK_ALLOWED_NETWORKS": "10.0.0.0/8,fc00::/7,192.168.7.0/24,::ffff:10.0.0.0/104,2001:db8::/32"},
        {"DATABASE_URL": "postgres://billing@/billing?host=/run/postgresql"},
        {"DATABASE_URL": "postgres://billing@/billing?host=db.example.ac.th&password=kettle-93-harbour"},
        {"PAYMENT_WEBHOOK_TOLERANCE_SEC": "3600"},
        {"SITE_BASE_URL": "https://billing.example.ac.th:8443/"},
        {"STRIPE_API_URL": "https://api.stripe.com/"},
        {"EMAIL_URL": " "},
        *(
            {"EMAIL_URL": f"smtp{kind}://billing:kettle-93-harbour@mail.example.ac.th"}
            for kind in ("", "s", "+tls", "+ssl")
        ),
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
    assert [key for make in makers for key in (make(size) for size in range(12, 40)) if is_plain(key)] == []


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
        ({"DATABASE_URL": "postgres://u:long-pass-phrase@/billing?host=10.1.2.3"}, "DATABASE_URL"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"STRIPE_SECRET_KEY": "sk_live_123"}, "STRIPE_SECRET_KEY"),
        ({"RAZORPAY_KEY_ID": "rzp_live_123"}, "RAZORPAY_KEY_ID"),
        ({"OMISE_SECRET_KEY": "skey_5xk2mQ9zLp8vB3n"}, "OMISE_SECRET_KEY"),
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


@pytest.mark.parametrize("host", ["", "/run/postgresql", "localhost", "127.0.0.1", "::1", "localhost,127.0.0.1"])
def test_what_is_on_this_machine_is_known(host: str) -> None:
    assert is_here(host)
    assert not is_here(f"db.example.ac.th,{host or 'localhost'}")
