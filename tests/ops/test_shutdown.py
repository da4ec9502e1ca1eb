"""SIGTERM lets requests under way finish, refuses new ones, and ends with 0; logs of all that hold no secret."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.databases import migrated_file
from tests.ops.test_configuration import GOOD
from tests.ports import free_port
from tests.starts import manage

ROOT = Path(__file__).resolve().parents[2]
CANARIES = {
    "SECRET_KEY": f"canary-{GOOD['SECRET_KEY']}", "METRICS_TOKEN": "canary-metrics-token-91",
    "STRIPE_SECRET_KEY": "sk_live_canary-stripe-secret", "STRIPE_WEBHOOK_SECRET": "whsec_canary-webhook-secret",
    "SLURMRESTD_TOKEN": "canary.slurm.token", "ADMIN_PASSWORD": "canary-admin-password-17",
    "EMAIL_URL": "smtp+tls://billing:canary-mail-password@127.0.0.1:1", "LITELLM_API_KEY": "sk-canary-litellm",
}  # fmt: skip
TYPED = (
    "canary-typed-password",
    "canary-bearer-key",
    "canary-session-cookie",
    "canary-query-token",
    "canary-old-password",
)


class Site:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.cookie = ""
        self.database, self.log = folder / "db.sqlite3", folder / "log"
        self.environment = {
            "PATH": os.environ["PATH"], "READ_DOT_ENV": "0", "DATABASE_URL": f"sqlite:///{self.database}",
            "ALLOWED_HOSTS": "127.0.0.1", "SITE_BASE_URL": "https://127.0.0.1", "TRUSTED_PROXY_COUNT": "1",
            "PAYMENT_PROVIDER": "stripe", "SLURMRESTD_URL": "http://127.0.0.1:1", **CANARIES,
        }  # fmt: skip

    def manage(self, *arguments: str) -> str:
        done = manage(*arguments, **self.environment)
        return done.stdout + done.stderr

    def start(self) -> subprocess.Popen[str]:
        server = [str(Path(sys.executable).parent / "gunicorn"), "hpcbilling.wsgi", "--bind", f"127.0.0.1:{self.port}",
                  "--workers", "1", "--threads", "4", "--graceful-timeout", "120", "--forwarded-allow-ips="]  # fmt: skip
        process = subprocess.Popen(server, cwd=ROOT, env=self.environment, stderr=self.log.open("a"), text=True)
        for _ in range(240):
            try:
                if self.ask("GET", "/healthz")[0] == 200:
                    return process
            except OSError:
                time.sleep(0.25)
        process.kill()
        raise AssertionError(self.log.read_text())

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=150)
        given = {"X-Forwarded-Proto": "https", "Host": "127.0.0.1"} | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        if body:
            given.setdefault("Content-Type", "application/x-www-form-urlencoded")
        wire.request(method, path, body, given)
        answer = wire.getresponse()
        text = answer.read().decode("utf-8", "replace")
        self.cookie = (answer.headers["Set-Cookie"] or "").split(";")[0]
        wire.close()
        return answer.status, text


@pytest.fixture
def site(tmp_path: Path) -> Site:
    found = Site(tmp_path)
    migrated_file(found.database)
    return found


@pytest.fixture
def running(site: Site) -> Iterator[tuple[Site, subprocess.Popen[str]]]:
    process = site.start()
    try:
        yield site, process
    finally:
        process.kill()
        process.wait()


def test_a_request_under_way_is_finished_and_new_ones_are_refused(running: tuple[Site, subprocess.Popen[str]]) -> None:
    site, process = running
    body = urlencode({"username": "nobody", "password": "wrong"})
    page = site.ask("GET", "/accounts/login/")[1]
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[0]
    answers: list[tuple[int, str]] = []
    writer = sqlite3.connect(site.database, timeout=30, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")  # whoever writes now waits for us

    def slow() -> None:
        cookie = site.cookie
        answers.append(site.ask("POST", "/accounts/login/", f"csrfmiddlewaretoken={token}&{body}", Cookie=cookie,
                                Referer="https://127.0.0.1/accounts/login/"))  # fmt: skip

    asking = threading.Thread(target=slow)
    asking.start()
    time.sleep(4)
    process.send_signal(signal.SIGTERM)
    time.sleep(2)
    assert process.poll() is None, "it waits for the request"
    writer.execute("COMMIT")
    asking.join(120)
    assert process.wait(130) == 0
    with pytest.raises(OSError):
        site.ask("GET", "/healthz")
    assert [status for status, _text in answers] == [200], site.log.read_text()[-3000:]
    with sqlite3.connect(site.database) as database:
        assert database.execute("SELECT COUNT(*) FROM auth_throttle").fetchone() == (1,), "and written"


def test_readiness_is_503_until_the_migrations_are_applied_and_the_process_lives_on(site: Site) -> None:
    site.manage("migrate", "hpcbilling", "0002", "-v0")
    process = site.start()
    try:
        status, text = site.ask("GET", "/readyz")
        assert (status, "not applied" in text) == (503, True)
        assert site.ask("GET", "/healthz")[0] == 200
        site.manage("migrate", "-v0")
        assert site.ask("GET", "/readyz")[0] == 200, "without a restart"
    finally:
        process.terminate()
        assert process.wait(40) == 0


def test_no_secret_is_in_logs_answers_or_the_database(running: tuple[Site, subprocess.Popen[str]]) -> None:
    """Canaries in every secret and in everything that strangers type; then all that was written is searched."""
    site, process = running
    answers = [
        site.ask("GET", "/accounts/login/?next=/x&token=canary-query-token", Cookie="sessionid=canary-session-cookie"),
        site.ask("POST", "/accounts/login/", urlencode({"username": "admin", "password": "canary-typed-password"})),
        site.ask("GET", "/api/v1/jobs", Authorization="Bearer canary-bearer-key"),
        site.ask(
            "POST",
            "/api/v1/events",
            '{"x": "canary',
            Authorization="Bearer canary-bearer-key",
            Content_Type="application/json",
        ),
        site.ask(
            "POST", "/payments/webhooks/stripe/", "{}", Stripe_Signature="t=1,v1=00", Content_Type="application/json"
        ),
        site.ask("GET", "/metrics", Authorization="Bearer canary-bearer-key"),
        site.ask("GET", "/no/such/page?password=canary-old-password"),
    ]
    said = [site.manage(*command) for command in (
        ("bootstrap_admin",), ("doctor",), ("import_usage", "--source", "slurmrestd"), ("send_emails",), ("run_due",),
        ("check", "--deploy"), ("reconcile_payments",),
    )]  # fmt: skip
    process.terminate()
    process.wait(40)
    with sqlite3.connect(site.database) as database:
        dump = "\n".join(database.iterdump())
    places = {
        "log": site.log.read_text(),
        "answers": "\n".join(text for _status, text in answers),
        "commands": "\n".join(said),
        "database": dump,
    }
    secrets = [value.removeprefix("smtp+tls://billing:").removesuffix("@127.0.0.1:1") for value in CANARIES.values()]
    found = {place: [secret for secret in (*secrets, *TYPED) if secret in text] for place, text in places.items()}
    own = ("canary-query-token", "canary-old-password")  # a page repeats its own address to the one who asked for it
    found["answers"] = [secret for secret in found["answers"] if secret not in own]
    assert found == {"log": [], "answers": [], "commands": [], "database": []}
    lines = [json.loads(line) for line in places["log"].splitlines() if line.startswith("{")]
    assert len([line for line in lines if line.get("logger") == "hpcbilling.request"]) >= 6, (
        "and they are there, as JSON"
    )


def test_a_program_that_ended_has_closed_its_database(site: Site) -> None:
    """A log left beside it would have to come along with every copy of the file. Commands close it by themselves."""
    program = """
import django; django.setup()
from django.core.management import call_command
call_command("prune", what="throttle", older_than="90d")
"""
    environment = site.environment | {"DJANGO_SETTINGS_MODULE": "hpcbilling.settings"}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True, capture_output=True)
    assert [each.name for each in site.database.parent.glob("db.sqlite3*")] == ["db.sqlite3"]
