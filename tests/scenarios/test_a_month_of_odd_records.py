"""A month in which Slurm changes its mind: through commands and HTTP only, down to equal books on both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from billing.models import Receipt
from tests.factories import account_tier
from tests.scenarios.test_a_month_from_sbatch_to_bill import command, signed_in
from usage.models import Adjustment, Job, QuarantinedRow

HEADER = "JobIDRaw|JobID|Cluster|User|Account|Submit|Start|End|ElapsedRaw|AllocTRES|State"
DAY = 86_400
NOON = 1_790_830_800  # 1 October 2026, noon in Bangkok


def line(job: int, *, at: int = NOON, seconds: Any = 3600, **cells: Any) -> str:
    """An hour on four cores, unless told; ``at`` is its start."""
    values = {
        "JobIDRaw": job, "JobID": job, "Cluster": "tara", "User": "alice", "Account": "physics", "Submit": at - 60,
        "Start": at, "End": at + seconds if isinstance(seconds, int) else at + 3600, "ElapsedRaw": seconds,
        "AllocTRES": "cpu=4,mem=4G", "State": "COMPLETED",
    } | cells  # fmt: skip
    return "|".join(str(values[name]) for name in HEADER.split("|"))


LONG = line(5, at=NOON - 70 * DAY, seconds=70 * DAY)
RESIZED = [
    line(6, seconds=600, State="RESIZING", AllocTRES="cpu=8,mem=4G"),
    line(6, seconds=1800, Submit=NOON + 600),  # began with the first, goes on with four cores
]


@pytest.mark.django_db
def test_a_month_in_which_slurm_changes_its_mind(alice: Any, finance: Any, tmp_path: Path) -> None:
    account_tier("physics", "mu")
    file = tmp_path / "october.psv"

    def bring(*rows: str, expect: int = 0) -> dict[str, Any]:
        file.write_text("\n".join([HEADER, *rows]) + "\n")
        return command("import_usage", "--file", str(file), expect=expect)

    # a job that still runs, one whose elapsed time is no number, one of seventy days, one that was resized
    month = [line(1), line(2), line(3, seconds="an hour"), line(4, State="RUNNING", End="Unknown"), LONG, *RESIZED]
    first = bring(*month, expect=3)
    assert (first["imported"], first["pending"], first["by_reason"]) == (5, 1, {"bad_duration": 1})
    assert Job.objects.get(job_id=6, state="COMPLETED").cpu_core_seconds == 4 * 1200, (
        "ten minutes are on the other half"
    )

    # Alice asks where job 3 is, and why the long one costs nothing yet
    browser = signed_in("alice")
    assert "job 3 could not be read" in browser.get("/usage/?q=3").content.decode()
    long = Job.objects.get(job_id=5)
    assert "longer than 60 days" in browser.get(f"/usage/{long.pk}/").content.decode()

    # October is billed: jobs 1, 2 and both halves of 6; what is left out is counted by reason
    made = command("create_receipts", "--all", "--start", "2026-10-01", "--end", "2026-10-31")
    assert [row["items"] for row in made["receipts"]] == [4]
    assert made["skipped"] == {"not_ended": 1, "runaway": 1}
    receipt = Receipt.objects.get()
    assert f"receipt {receipt}" in browser.get(f"/usage/{Job.objects.get(job_id=1).pk}/").content.decode()

    # finance releases the row with its hour, and clears the long job
    console = signed_in("fin")
    row = QuarantinedRow.objects.get()
    place = HEADER.split("|").index("ElapsedRaw")
    cells = {f"cell_{at}": cell for at, cell in enumerate(row.raw.split("|"))} | {f"cell_{place}": "3600"}
    console.post(f"/admin/usage/quarantinedrow/{row.pk}/decide/", cells | {"release": "1", "note": "seen on the node"})
    assert Job.objects.get(job_id=3).elapsed_seconds == 3600
    act(console, "usage/job", "clear_hold_action", long.pk, "a real run of seventy days")

    # Slurm corrects job 2 after it was billed; job 4 ends; job 1 has vanished there
    month = [line(2, seconds=1800), line(3, seconds="an hour"), line(4), LONG, *RESIZED]
    later = bring(*month, expect=3)
    assert (later["updated"], later["duplicate"], later["by_reason"]) == (1, 4, {"changed_after_billing": 1})
    assert (Job.objects.get(job_id=2).elapsed_seconds, Job.objects.filter(job_id=1).count()) == (3600, 1)
    change = Adjustment.objects.get()
    again = bring(*month, expect=3)
    assert (again["quarantined"], again["by_reason"]) == (1, {"changed_after_billing": 1}), "it still waits"
    assert Adjustment.objects.count() == 1, "what is noted is noted once"

    # as long as the receipt stands, the job stands; after the void it takes the new record
    act(console, "usage/adjustment", "accept_action", change.pk, "ok")
    change.refresh_from_db()
    assert (change.status, Job.objects.get(job_id=2).elapsed_seconds) == ("open", 3600)
    act(console, "billing/receipt", "void_action", receipt.pk, "job 2 was corrected")
    act(console, "usage/adjustment", "accept_action", change.pk, "ok")
    change.refresh_from_db()
    assert (change.status, Job.objects.get(job_id=2).elapsed_seconds) == ("accepted", 1800)
    type(alice).objects.filter(pk="alice").update(is_active=False)  # she has left; what she used is billed all the same
    rest = command("create_receipts", "--all", "--start", "2026-09-01", "--end", "2026-10-31")
    assert [row["items"] for row in rest["receipts"]] == [7]

    # both sides agree once the source has what it should have had
    file.write_text("\n".join([HEADER, line(1), line(2, seconds=1800), line(3), line(4), LONG, *RESIZED]) + "\n")
    window = ("--source", "csv", "--file", str(file), "--start", "2026-10-01", "--end", "2026-10-31")
    assert command("reconcile_usage", *window)["equal"]
    assert command("check_books")["ok"] is True
    assert command("verify_audit")["ok"] is True


def act(console: Client, model: str, action: str, pk: int, note: str) -> None:
    """Tick the row, choose the action, write why, confirm."""
    chosen = {"action": action, "_selected_action": [pk], "confirm": "1", "text": note}
    assert console.post(f"/admin/{model}/", chosen).status_code in {200, 302}
