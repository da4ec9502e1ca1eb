"""Periodic work: due or not, claimed once, a failure is kept and stops nobody else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts.models import AuthThrottle, Session
from accounts.sign_in.sessions import SessionStore
from billing.services.receipts import create_receipts
from core.commands import Terminated
from core.context import Actor
from hpcbilling.models import PeriodicTask
from hpcbilling.periodic import TASKS, Task, claim, live_source_configured, payments_in_use, run_due
from payments.models import EventOutcome, Payment, PaymentEvent
from tests.databases import migrated_file
from tests.factories import account_tier, make_job
from tests.races import at_once

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)
DAILY = Task("clearsessions", (), timedelta(days=1))
NOT_SET_UP = (
    "import_usage",
    "sync_models",
    "import_exchange_rates",
    "sign_audit_head",
)  # no Slurm, no model server, no rates to ask for, no key
BROKEN = Task("prune", ("--what", "receipts"), timedelta(days=1))


def names(*tasks: Task) -> list[tuple[str, str]]:
    return [(outcome.name, outcome.status) for outcome in run_due(tasks)]


def test_a_task_runs_when_due_and_not_again_before_its_time() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        assert names(DAILY) == [("clearsessions", "done")]
        clock.shift(timedelta(hours=23))
        assert names(DAILY) == []
        clock.shift(timedelta(hours=1))
        assert names(DAILY) == [("clearsessions", "done")]


def test_the_runner_deletes_ended_sessions_as_both_pages_on_retention_say(alice: Any) -> None:
    open_one, ended = (Client() for _ in range(2))
    for client in (open_one, ended):
        client.force_login(alice)
    Session.objects.filter(pk=ended.session.session_key).update(expire_date=NOON)
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        Session.objects.filter(pk=open_one.session.session_key).update(expire_date=NOON + timedelta(days=14))
        assert names(*(task for task in TASKS if task.name == "clearsessions")) == [("clearsessions", "done")]
    assert [each.pk for each in Session.objects.all()] == [open_one.session.session_key]
    daily = " ".join(next(task for task in TASKS if task.name == "prune").arguments)
    for page in ("privacy.md", "operations.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert ("`clearsessions`" in text, f"prune {daily}" in text) == (True, True), page
        assert "prune --what sessions" not in text, page


def test_a_failure_is_kept_in_words_and_the_next_task_still_runs() -> None:
    assert names(BROKEN, DAILY) == [("prune", "failed"), ("clearsessions", "done")]
    row = PeriodicTask.objects.get(name="prune")
    assert (row.last_status, row.claimed_until) == ("failed", None)
    assert "receipts" in row.last_error


def test_a_command_that_does_not_exist_is_a_failure_and_no_crash() -> None:
    assert names(Task("no_such_command", (), timedelta(days=1))) == [("no_such_command", "failed")]


def test_a_task_whose_runner_died_is_free_again_after_its_lease() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        assert claim(DAILY)
        clock.shift(DAILY.lease - timedelta(seconds=1))
        assert not claim(DAILY)
        clock.shift(timedelta(seconds=1))
        assert claim(DAILY)


@pytest.mark.django_db(transaction=True)
def test_of_twenty_runners_one_gets_the_task() -> None:
    won = at_once(20, lambda _index: claim(DAILY))
    assert sorted(won) == [False] * 19 + [True]


def test_usage_is_imported_only_where_there_is_a_slurm_to_ask(settings: Any, monkeypatch: Any, tmp_path: Path) -> None:
    settings.SLURMRESTD_URL = settings.SLURM_CONF = ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not live_source_configured()
    sacct = tmp_path / "sacct"
    sacct.write_text("#!/bin/sh\n")
    sacct.chmod(0o755)
    assert live_source_configured()
    sacct.unlink()
    settings.SLURMRESTD_URL = "http://localhost:6820"
    assert live_source_configured()


def test_payments_are_looked_after_where_somebody_can_pay_or_could(settings: Any, alice: Any) -> None:
    ours = {"process_webhooks", "reconcile_payments", "retry_payments"}
    wanted = {task.name for task in TASKS if task.name in ours and task.wanted()}
    assert wanted == ours, "the dummy provider is one"
    settings.PAYMENT_PROVIDER_NAMES = []
    assert not payments_in_use()
    account_tier("physics", "mu")
    make_job()
    receipt = create_receipts(actor=Actor("alice"), username="alice", start=None, end=None)[0]
    Payment.objects.create(
        receipt=receipt, user=alice, provider="stripe", currency="THB", amount_cents=800, idempotency_key="k"
    )
    assert payments_in_use(), "begun before online payment was switched off"


def test_payment_tasks_run_as_often_as_they_should_and_close_checkouts_before_they_try_again() -> None:
    every = {task.name: task.every for task in TASKS}
    assert every["process_webhooks"] == timedelta(minutes=1)
    assert every["reconcile_payments"] == every["retry_payments"] == timedelta(hours=1)
    order = [task.name for task in TASKS]
    assert order.index("reconcile_payments") < order.index("retry_payments")


def test_every_periodic_command_exists() -> None:
    from django.core.management import get_commands

    assert {task.name for task in TASKS} <= get_commands().keys()


def test_the_command_prints_what_it_ran(settings: Any, monkeypatch: Any, tmp_path: Path) -> None:
    settings.SLURMRESTD_URL = settings.SLURM_CONF = ""
    monkeypatch.setenv("PATH", str(tmp_path))
    out = StringIO()
    call_command("run_due", format="json", stdout=out)
    ran = {item["name"]: item["status"] for item in json.loads(out.getvalue())["ran"]}
    assert ran == {task.name: "done" for task in TASKS if task.name not in NOT_SET_UP}


def test_a_dry_run_shows_what_is_due_and_neither_claims_nor_runs(
    settings: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    settings.SLURMRESTD_URL = settings.SLURM_CONF = ""
    monkeypatch.setenv("PATH", str(tmp_path))

    def due() -> list[str]:
        out = StringIO()
        call_command("run_due", format="json", dry_run=True, stdout=out)
        return list(json.loads(out.getvalue())["due"])

    everything = [task.name for task in TASKS if task.name not in NOT_SET_UP]
    assert [due(), due()] == [everything, everything]
    assert not PeriodicTask.objects.exists()
    assert names(DAILY) == [("clearsessions", "done")]
    assert due() == [name for name in everything if name != "clearsessions"]


def test_a_dry_run_does_not_go_on_for_ever() -> None:
    with pytest.raises(CommandError, match="--loop") as refused:
        call_command("run_due", dry_run=True, loop=True)
    assert refused.value.returncode == 2


def test_the_loop_ends_on_sigterm_with_exit_0(tmp_path: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": migrated_file(tmp_path / "loop.sqlite3"), "SLURMRESTD_URL": "",
                   "SLURM_CONF": "", "PYTHONUNBUFFERED": "1", "PATH": str(tmp_path)}  # fmt: skip
    manage = [sys.executable, str(ROOT / "manage.py")]
    with subprocess.Popen(
        [*manage, "run_due", "--loop", "--pause", "600"], env=environment, stdout=subprocess.PIPE, text=True
    ) as loop:
        assert loop.stdout is not None
        for line in loop.stdout:
            if line.startswith("prune"):
                break
        started = time.monotonic()
        loop.send_signal(signal.SIGTERM)
        assert loop.wait(timeout=20) == 0
    assert time.monotonic() - started < 10


def test_sigterm_while_a_task_runs_ends_the_runner_and_is_no_failure_of_the_task(monkeypatch: Any) -> None:
    def ended(*_arguments: Any, **_options: Any) -> None:
        raise Terminated

    monkeypatch.setattr("hpcbilling.periodic.call_command", ended)
    with pytest.raises(Terminated) as leaving:
        names(DAILY)
    assert leaving.value.code == 143
    assert not PeriodicTask.objects.filter(last_status="failed").exists()


def test_the_console_shows_the_last_error_and_lets_nobody_edit(client: Any, auditor: Any) -> None:
    assert names(BROKEN) == [("prune", "failed")]
    client.force_login(auditor)
    page = client.get("/admin/hpcbilling/periodictask/")
    assert page.status_code == 200
    assert b"knows no receipts" in page.content
    assert client.get("/admin/hpcbilling/periodictask/add/").status_code == 403


# --- prune -------------------------------------------------------------------
def throttle_row(username: str, days: int, **fields: Any) -> None:
    start = timezone.now() - timedelta(days=days)
    AuthThrottle.objects.create(username=username, ip="192.0.2.1", window_start=start, fail_count=1, **fields)


def prune(**options: Any) -> dict[str, int]:
    out = StringIO()
    call_command("prune", format="json", stdout=out, **options)
    return dict(json.loads(out.getvalue()))


def test_prune_deletes_old_counters_and_keeps_new_ones_and_running_locks() -> None:
    throttle_row("old", 91)
    throttle_row("new", 89)
    throttle_row("locked", 91, locked_until=timezone.now() + timedelta(days=1))
    assert prune(what="throttle", dry_run=True) == {"throttle": 1}
    assert AuthThrottle.objects.count() == 3
    assert prune(what="throttle") == {"throttle": 1}
    assert set(AuthThrottle.objects.values_list("username", flat=True)) == {"new", "locked"}
    assert prune(what="throttle") == {"throttle": 0}


def test_prune_deletes_sessions_that_ended_and_no_live_one() -> None:
    for days in (-100, 1):
        session = SessionStore()
        session.set_expiry(timezone.now() + timedelta(days=days))
        session.create()
    gone = prune(older_than="1d")
    assert (gone.pop("sessions"), set(gone.values())) == (1, {0})
    assert Session.objects.count() == 1


def message(outcome: str, days: int, **fields: Any) -> PaymentEvent:
    then = timezone.now() - timedelta(days=days)
    row = PaymentEvent.objects.create(
        provider="stripe", external_event_id=f"{outcome}-{days}", outcome=outcome, raw_payload={"who": "somchai"},
        body_sha256="ab" * 32 if outcome == "processed" and days > 90 else "", processed_at=then, **fields,
    )  # fmt: skip
    PaymentEvent.objects.filter(pk=row.pk).update(received_at=then)
    return row


def test_prune_empties_decided_messages_deletes_rejected_ones_and_leaves_the_others() -> None:
    for outcome in EventOutcome:
        for days in (89, 91):
            message(outcome, days)
    assert prune(what="webhooks", dry_run=True) == {"webhooks": 3}
    assert PaymentEvent.objects.filter(raw_payload={}).count() == 0
    assert prune(what="webhooks") == {"webhooks": 3}
    emptied = set(PaymentEvent.objects.filter(raw_payload={}).values_list("external_event_id", flat=True))
    assert emptied == {"processed-91", "ignored-91"}
    assert PaymentEvent.objects.get(external_event_id="processed-91").body_sha256 == "ab" * 32
    assert not PaymentEvent.objects.filter(external_event_id="rejected-91").exists()
    assert PaymentEvent.objects.count() == 2 * len(EventOutcome) - 1
    assert prune(what="webhooks") == {"webhooks": 0}


def test_a_message_that_came_again_lately_keeps_what_it_holds() -> None:
    row = message("processed", 91)
    PaymentEvent.objects.filter(pk=row.pk).update(processed_at=timezone.now())
    assert prune(what="webhooks") == {"webhooks": 0}


@pytest.mark.parametrize(
    "options", [{"what": "audit"}, {"older_than": "soon"}, {"older_than": "0d"}, {"older_than": "-1d"}]
)
def test_prune_refuses_what_it_must_not_delete_with_exit_2(options: dict[str, str]) -> None:
    with pytest.raises(CommandError) as refused:
        prune(**options)
    assert refused.value.returncode == 2
