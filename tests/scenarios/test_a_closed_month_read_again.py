"""October is closed; then Slurm's records of it change. Nothing changes in place, and finance decides about each."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from audit.models import AuditLog
from billing.models import MonthAdjustment
from billing.selectors.jobs.proof import prove
from billing.services.months import accept_change, close_month
from core.context import Actor
from hpcbilling.books import INVARIANTS
from tests.factories import account_tier
from usage.models import Adjustment, Job
from usage.services.adjustments import Frozen, accept_adjustment, dismiss_adjustment

pytestmark = pytest.mark.django_db
OCTOBER = date(2026, 10, 1)
FIN = Actor("fin")
HEAD = "JobIDRaw|JobID|User|Account|Partition|State|Submit|Start|End|ElapsedRaw|AllocCPUS|ReqMem|AllocTRES|NNodes\n"


def moment(day: int, month: int = 10, hour: int = 5) -> int:
    return int(datetime(2026, month, day, hour, tzinfo=UTC).timestamp())


def line(number: int, user: str, end: int, elapsed: int, state: str = "COMPLETED") -> str:
    start = end - elapsed
    return f"{number}|{number}|{user}|physics|normal|{state}|{moment(1)}|{start}|{end}|{elapsed}|4|8G|cpu=4,mem=8G,node=1|1\n"


def load(path: Path, lines: list[str], capsys: Any) -> dict[str, Any]:
    path.write_text(HEAD + "".join(lines))
    capsys.readouterr()
    with contextlib.suppress(SystemExit):  # 3: something was noted
        call_command(
            "import_usage", "--source", "csv", "--file", str(path), "--cluster", "c1", "--timezone", "UTC",
            "--format", "json",
        )  # fmt: skip
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_changed_records_of_a_closed_month_wait_and_late_ones_come_in(alice: Any, tmp_path: Path, capsys: Any) -> None:
    account_tier("physics", "mu")
    before = [
        line(1, "alice", moment(15), 3600),
        line(2, "alice", moment(16), 3600),
        line(3, "nobody", moment(17), 3600),
        line(4, "alice", moment(18), 3600, "NODE_FAIL"),
        line(5, "alice", moment(5, 11), 3600),
    ]
    assert load(tmp_path / "a", before, capsys)["imported"] == 5
    close_month(actor=FIN, month=OCTOBER, note="done", accept_open=True)
    proof = prove(OCTOBER).as_json()

    after = [
        line(1, "alice", moment(15), 360_000),  # a hundred hours
        line(2, "alice", moment(3, 11), 3600),  # ends in November
        line(3, "nobody", moment(17), 7200),
        line(4, "alice", moment(18), 3600),  # not free any more
        line(5, "alice", moment(20), 3600),  # of November, and now in October
        line(6, "alice", moment(21), 3600),  # new: late
    ]
    found = load(tmp_path / "b", after, capsys)
    assert (found["imported"], found["updated"]) == (1, 0)
    assert sorted(Adjustment.objects.values_list("job__job_id", "document", "status")) == [
        (number, "", "open") for number in (1, 2, 3, 4, 5)
    ]
    Job.objects.filter(job_id=6).delete()
    assert prove(OCTOBER).as_json() == proof, "the closed month is as it was"
    assert load(tmp_path / "b", after[:5], capsys)["updated"] == 0, "read again: the same answers"
    assert Adjustment.objects.count() == 5

    dismiss_adjustment(actor=FIN, adjustment=Adjustment.objects.get(job__job_id=1), note="a clock that was wrong")
    with pytest.raises(Frozen):
        accept_adjustment(actor=FIN, adjustment=Adjustment.objects.get(job__job_id=4), note="it had worked")
    accept_change(actor=FIN, adjustment=Adjustment.objects.get(job__job_id=4), note="it had worked")
    accept_change(actor=FIN, adjustment=Adjustment.objects.get(job__job_id=5), note="the clock was wrong")
    assert Job.objects.get(job_id=1).elapsed_seconds == 3600
    assert Job.objects.get(job_id=4).state == "COMPLETED"
    assert [
        (row.closed_month.month, row.kind, row.reason, row.usage["jobs"])
        for row in MonthAdjustment.objects.order_by("pk")
    ] == [(OCTOBER, "correction", "it had worked", 0), (OCTOBER, "correction", "the clock was wrong", 1)]
    assert AuditLog.objects.filter(action="usage_change_accept", actor="fin").count() == 2
    assert not any(check() for check in INVARIANTS.values())


def test_with_no_month_closed_records_change_as_ever(alice: Any, tmp_path: Path, capsys: Any) -> None:
    load(tmp_path / "a", [line(1, "alice", moment(15), 3600)], capsys)
    assert load(tmp_path / "b", [line(1, "alice", moment(15), 7200)], capsys)["updated"] == 1
    assert not Adjustment.objects.exists()
