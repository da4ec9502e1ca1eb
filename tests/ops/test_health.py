"""Alive, ready, measured: and honest when the database is away."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import translation

from core.database.outage import is_outage
from hpcbilling import __version__, ops
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


def sample(text: str, name: str) -> float:
    lines = [line for line in text.splitlines() if line.startswith(name + " ")]
    assert lines, f"{name} is not exported"
    return float(lines[0].rsplit(" ", 1)[1])


def scrape(**headers: str) -> str:
    answer = Client().get("/metrics", headers=headers or None)
    assert answer.status_code == 200
    return answer.content.decode()


def point_database_at(address: dict[str, Any]) -> dict[str, Any]:
    """Change where new connections go; returns what was there."""
    stored = connections.settings["default"]
    old = {name: stored[name] for name in address}
    stored.update(address)
    return old


def test_healthz_answers_with_the_version_of_the_package_and_without_a_query() -> None:
    answer = Client().get("/healthz")
    assert answer.json() == {"status": "ok", "version": __version__}
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__


@pytest.mark.django_db(transaction=True)
def test_readyz_is_200_when_all_is_well() -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (200, {"database": "ok", "migrations": "ok"})


@pytest.mark.django_db(transaction=True)
def test_readyz_is_503_and_names_a_migration_that_is_missing() -> None:
    recorder = MigrationRecorder(connection)
    app, name = max(leaf for leaf in ops.migration_leaves() if leaf[0] == "hpcbilling")
    recorder.record_unapplied(app, name)
    try:
        answer = Client().get("/readyz")
    finally:
        recorder.record_applied(app, name)
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "migrations": f"not applied: {app}.{name}"}


@pytest.fixture
def silent_port() -> Any:
    """A port that accepts and never says a word: the worst kind of dead server."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield listener.getsockname()[1]


def away(kind: str, port: int) -> dict[str, Any]:
    if connection.vendor == "sqlite":
        return {"NAME": "/nonexistent/folder/db.sqlite3"}
    return {"HOST": "127.0.0.1", "PORT": port if kind == "silent" else 1}


@pytest.mark.parametrize("kind", ["refused", "silent"])
def test_a_database_that_is_away_gives_503_quickly_and_no_secret(kind: str, silent_port: int) -> None:
    old = point_database_at(away(kind, silent_port))
    started = time.monotonic()
    try:
        answer = Client().get("/readyz")
        numbers = scrape()
        alive = Client().get("/healthz").status_code
    finally:
        point_database_at(old)
    assert time.monotonic() - started < 30  # without a limit of its own, the silent one takes minutes
    assert (answer.status_code, alive) == (503, 200)
    assert "cannot be reached" in answer.json()["checks"]["database"]
    assert "127.0.0.1" not in answer.content.decode()
    assert sample(numbers, "hpcbilling_database_up") == 0
    assert "hpcbilling_logins_total" in numbers


# --- /metrics ----------------------------------------------------------------
def test_our_series_exist_before_anything_happened() -> None:
    code = (
        "import django; django.setup(); from prometheus_client import generate_latest, REGISTRY;"
        "print(generate_latest(REGISTRY).decode())"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "hpcbilling.settings",
        "DATABASE_URL": "sqlite:////nonexistent/x",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    for series in (
        'hpcbilling_logins_total{result="success"}', 'hpcbilling_logins_total{result="failure"}',
        'hpcbilling_logins_total{result="refused"}', 'hpcbilling_lockouts_total{event="start"}',
        'hpcbilling_lockouts_total{event="end"}',
    ):  # fmt: skip
        assert sample(done.stdout, series) == 0


@pytest.mark.django_db(transaction=True)
def test_numbers_of_the_database_are_read_at_the_scrape(make_user: Any) -> None:
    from django.utils import timezone

    from audit.models import AuditLog
    from usage.models import ImportRun

    make_user("alice")
    ended = timezone.now()
    ImportRun.objects.create(source="csv", status="done", actor="x", finished_at=ended)
    ImportRun.objects.create(source="csv", status="failed", actor="x", finished_at=ended + timezone.timedelta(hours=1))
    Client().post("/accounts/login/", {"username": "alice", "password": PASSWORD, "next": "/healthz"})
    text = scrape()
    assert sample(text, "hpcbilling_audit_rows") == AuditLog.objects.count() >= 1
    assert sample(text, "hpcbilling_last_import_timestamp_seconds") == pytest.approx(ended.timestamp(), abs=1)
    assert sample(text, 'hpcbilling_receipts{status="paid"}') == 0
    assert sample(text, "hpcbilling_database_up") == 1


@pytest.mark.django_db(transaction=True)
def test_usage_rows_and_the_length_of_an_import_are_read_from_the_runs_of_whatever_process() -> None:
    from django.conf import settings
    from django.utils import timezone

    from usage.models import VERDICTS, ImportRun

    for source in settings.USAGE_SOURCES:
        for verdict in VERDICTS:
            assert sample(scrape(), f'hpcbilling_usage_rows_total{{result="{verdict}",source="{source}"}}') == 0
    began = timezone.now() - timezone.timedelta(hours=1)
    run = {"actor": "x", "started_at": began}
    for hours, source, status, counts in (
        (0.5, "sacct", "done", {"imported": 5, "duplicate": 2}),
        (0.25, "sacct", "partial", {"imported": 1, "quarantined": 1}),
        (0.75, "csv", "failed", {"imported": 4}),
    ):
        ImportRun.objects.create(
            source=source, status=status, rows_read=sum(counts.values()), **counts, **run,
            finished_at=began + timezone.timedelta(hours=hours),
        )  # fmt: skip
    text = scrape()
    rows = {
        (source, verdict): sample(text, f'hpcbilling_usage_rows_total{{result="{verdict}",source="{source}"}}')
        for source in ("sacct", "csv")
        for verdict in ("imported", "duplicate", "quarantined")
    }
    assert rows == {
        ("sacct", "imported"): 6, ("sacct", "duplicate"): 2, ("sacct", "quarantined"): 1,
        ("csv", "imported"): 4, ("csv", "duplicate"): 0, ("csv", "quarantined"): 0,
    }  # fmt: skip
    assert sample(text, "hpcbilling_last_import_seconds") == pytest.approx(1800, abs=1)


@pytest.mark.django_db(transaction=True)
def test_how_far_each_cluster_is_known_hides_none_behind_another() -> None:
    from django.utils import timezone

    from usage.models import ImportRun

    now = timezone.now()
    for cluster, status, hours in (
        ("dead", "done", 40), ("dead", "failed", 1), ("alive", "partial", 2), ("alive", "done", 1),
        ("alive", "done", None),
    ):  # fmt: skip
        until = now - timezone.timedelta(hours=hours) if hours else None  # None: a run of one user's jobs
        ImportRun.objects.create(
            source="sacct", cluster=cluster, status=status, actor="x", finished_at=now, data_until=until
        )
    text = scrape()
    for cluster, hours in (("dead", 40), ("alive", 1)):
        moment = sample(text, f'hpcbilling_usage_until_timestamp_seconds{{cluster="{cluster}"}}')
        assert moment == pytest.approx((now - timezone.timedelta(hours=hours)).timestamp(), abs=1)


@pytest.mark.django_db
def test_sign_ins_are_counted_by_result(alice: Any) -> None:
    def count(result: str) -> float:
        return sample(scrape(), f'hpcbilling_logins_total{{result="{result}"}}')

    before = {result: count(result) for result in ("success", "failure", "refused")}
    for password in ("wrong",) * 6:
        Client().post("/accounts/login/", {"username": "alice", "password": password})
    after = {result: count(result) for result in before}
    assert after == {"success": before["success"], "failure": before["failure"] + 5, "refused": before["refused"] + 1}


def test_metrics_can_be_switched_off(settings: Any) -> None:
    settings.METRICS_ENABLED = False
    assert Client().get("/metrics").status_code == 404


@pytest.mark.parametrize("given", ["", "Bearer wrong", "Bearer ", "Basic dG9rZW4=", "Bearer tökén"])
def test_with_a_token_only_its_bearer_reads(settings: Any, given: str) -> None:
    settings.METRICS_TOKEN = "a-long-enough-token"
    assert Client().get("/metrics", headers={"Authorization": given}).status_code == 401
    assert "hpcbilling_logins_total" in scrape(Authorization="Bearer a-long-enough-token")


@pytest.mark.parametrize("debug", [True, False])
def test_without_a_token_only_this_machine_reads(settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 200
    assert Client(REMOTE_ADDR="::1").get("/metrics").status_code == 200
    assert Client(REMOTE_ADDR="192.0.2.1").get("/metrics").status_code == 403


def test_what_a_proxy_on_this_machine_forwards_is_not_this_machine() -> None:
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics", headers={header: "127.0.0.1"}).status_code == 403


# --- pages and the API, while the database is away --------------------------------
@pytest.fixture
def signed_in(alice: Any) -> Client:
    """A browser: it sends the cookie of its session to every address, also to those that ask nothing of it."""
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    return client


@pytest.fixture
def database_away(signed_in: Client) -> Iterator[None]:
    old = point_database_at(away("refused", 1))
    connection.close()
    try:
        yield
    finally:
        connection.close()
        point_database_at(old)


away_for_good = pytest.mark.django_db(transaction=True)


@away_for_good
def test_a_browser_with_a_session_learns_that_the_process_lives_and_the_database_does_not(
    signed_in: Client, database_away: None
) -> None:
    assert [signed_in.get(path).status_code for path in ("/healthz", "/readyz", "/static/none.css")] == [200, 503, 404]


@away_for_good
@pytest.mark.parametrize("language", ["en", "th"])
def test_pages_say_that_the_database_does_not_answer(signed_in: Client, database_away: None, language: str) -> None:
    answer = signed_in.get("/receipts/", headers={"accept-language": language, "x-request-id": "look-for-me-1"})
    assert (answer.status_code, answer["Retry-After"], answer["X-Request-ID"]) == (503, "10", "look-for-me-1")
    with translation.override(language):
        assert translation.gettext("The database does not answer in time") in answer.content.decode()
    assert "look-for-me-1" in answer.content.decode(), "the number by which the log has it"


@away_for_good
def test_the_api_says_that_it_is_unavailable_as_json(signed_in: Client, database_away: None) -> None:
    answer = signed_in.get("/api/v1/receipts")
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    assert answer.json()["code"] == "unavailable"


@away_for_good
def test_a_request_that_failed_for_want_of_the_database_has_its_line_and_one_traceback(
    signed_in: Client, database_away: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        signed_in.get("/receipts/")
    assert [record.fields["status"] for record in caplog.records if record.name == "hpcbilling.request"] == [503]
    assert len([record for record in caplog.records if record.exc_info]) == 1


def test_a_table_that_is_missing_is_no_absence_that_passes() -> None:
    assert is_outage(OperationalError("connection refused"))
    assert not is_outage(OperationalError("no such table: receipts"))
    assert not is_outage(ValueError("connection refused"))


@pytest.mark.postgres
def test_a_server_that_takes_no_writes_now_is_one_that_passes(make_user: Any) -> None:
    from django.db import DatabaseError, transaction

    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        connection.cursor().execute("SET TRANSACTION READ ONLY")
        make_user("alice")
    assert is_outage(caught.value)
