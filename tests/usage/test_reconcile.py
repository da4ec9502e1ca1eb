"""What is stored held against its source: equal to the second, or every difference by name."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation

from audit.models import AuditLog
from core.context import SYSTEM
from core.database.locks import run_lock
from core.errors import Unavailable
from core.words.said import heard
from tests.usage.conftest import Daemon, Sacct
from tests.usage.helpers import HIST, LIVE, counted, oracle, read_json, row, run_import, stored, write
from tests.usage.restd import CAPTURE
from usage import sreport
from usage.models import Job, Reconciliation, ReconciliationLine
from usage.services.reconcile import reconcile_usage

pytestmark = pytest.mark.django_db
BANGKOK = ZoneInfo("Asia/Bangkok")
OCTOBER = {"start": datetime(2026, 9, 30, 17, tzinfo=UTC), "end": datetime(2026, 10, 31, 17, tzinfo=UTC)}
# In Bangkok: 1790000100 is 21 September, 1790874000 the first second of 2 October, 1793552400 of 2 November.
SEPTEMBER_TO_NOVEMBER = {"start": datetime(2026, 9, 1, tzinfo=UTC), "end": datetime(2026, 11, 30, tzinfo=UTC)}


def compare(file: Path, **options: Any) -> Any:
    return reconcile_usage(
        actor=SYSTEM, file=str(file), **{"source": "csv", "timezone": "UTC", **SEPTEMBER_TO_NOVEMBER, **options}
    )


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("reconcile_usage", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode if str(error)[:5] != "Error" else 2, str(error)
    except SystemExit as exit_:
        return int(exit_.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Alice has two jobs in September and one in October, Bob one in October."""
    file = write(
        tmp_path / "u.psv", row(1), row(2), row(3, End=1790874000), row(4, End=1790874000, User="bob", Account="chem"),
        row(5, End="Unknown", State="RUNNING"),
    )  # fmt: skip
    run_import(file)
    return file


# --- equal ---------------------------------------------------------------------------
def test_what_was_just_imported_is_equal_to_the_second_and_to_the_oracle() -> None:
    start, end, sums = oracle(HIST)
    run_import(HIST / "sacct-X-D.psv.gz", cluster="bench")
    result = compare(HIST / "sacct-X-D.psv.gz", start=start, end=end)
    assert result.equal, result.as_dict()
    by_pair: dict[tuple[str, str], list[int]] = {}
    for line in result.lines:
        held = by_pair.setdefault(line.group[1:], [0, 0, 0])
        for place, amount in enumerate(line.source.cells()[1:]):
            held[place] += amount
    assert {pair: tuple(held) for pair, held in by_pair.items() if any(held)} == counted(start, end)
    assert stored(start, end) == sums, "what is counted, and the seconds that a resized job has twice, is the oracle's"
    ends = Job.objects.filter(end_at__gte=start, end_at__lt=end).values_list("end_at", flat=True)
    months: Counter[date] = Counter()
    for line in result.lines:
        months[line.group[0]] += line.source.jobs
    assert months == Counter(moment.astimezone(BANGKOK).date().replace(day=1) for moment in ends)
    assert months != Counter(moment.date().replace(day=1) for moment in ends), "midnight of the site, not of UTC"


def test_another_source_of_the_same_jobs_is_equal_too(file: Path) -> None:
    shuffled = write(file.parent / "v.psv", *reversed(file.read_text().splitlines()[1:]))
    assert compare(shuffled).equal


def test_a_record_that_comes_twice_counts_once_and_the_last_one_holds(tmp_path: Path) -> None:
    file = write(tmp_path / "u.psv", row(1, ElapsedRaw=50), row(2), row(1))
    run_import(file)
    result = compare(file)
    assert (result.equal, result.lines[0].source.jobs) == (True, 2)


def test_a_record_known_by_its_end_alone_is_the_same_record(tmp_path: Path) -> None:
    run_import(write(tmp_path / "u.psv", row(1)))
    assert compare(write(tmp_path / "weak.psv", row(1, Submit="Unknown"))).equal


# --- different -----------------------------------------------------------------------
def test_each_difference_is_found_in_its_group_and_named(file: Path) -> None:
    Job.objects.filter(job_id=1).update(elapsed_seconds=101, cpu_core_seconds=202)
    Job.objects.filter(job_id=4).delete()
    Job.objects.filter(job_id=3).update(job_id=33, job_key="c1:33:1789999000", job_id_display="33")
    result = compare(file)
    assert not result.equal
    found = {line.group: (line.stored - line.source).cells() for line in result.lines if line.differs}
    assert found == {
        (date(2026, 9, 1), "alice", "physics"): (0, 2, 0, 0),
        (date(2026, 10, 1), "alice", "physics"): (0, 0, 0, 0),  # the sums agree, the records do not
        (date(2026, 10, 1), "bob", "chem"): (-1, -200, 0, -102400),
    }
    assert result.records == {
        "here": ["c1:3:1789999000", "c1:4:1789999000"],
        "there": ["c1:33:1789999000"],
        "differs": ["c1:1:1789999000"],
    }


def test_a_job_that_still_runs_here_but_ended_there_differs(file: Path) -> None:
    Job.objects.filter(job_id=4).update(end_at=None, state="RUNNING")
    result = compare(file)
    assert (result.counts, result.records["differs"]) == ({"differs": 1}, ["c1:4:1789999000"])


def test_sums_beyond_64_bits_are_exact(tmp_path: Path) -> None:
    large = {"AllocTRES": f"cpu={5 * 10**17}", "ElapsedRaw": 10, "End": 1790000010}
    file = write(tmp_path / "u.psv", *(row(number, **large) for number in (1, 2, 3)))
    run_import(file)
    assert compare(file).lines[0].stored.cpu == 15 * 10**18
    Job.objects.filter(job_id=1).update(cpu_core_seconds=5 * 10**18 - 1)
    line = compare(file).lines[0]
    assert (line.stored - line.source).cpu == -1
    assert ReconciliationLine.objects.filter(stored_cpu=2**63 - 1).count() == 2, "kept as large as the column"


def test_other_clusters_windows_and_unreadable_rows_stay_out(file: Path, tmp_path: Path) -> None:
    run_import(write(tmp_path / "other.psv", row(9, Cluster="c2")))
    assert compare(file, cluster="c1").equal
    Job.objects.filter(job_id=1).delete()
    assert compare(file, **OCTOBER).equal
    text = file.read_text() + "broken\n"
    result = compare(write(tmp_path / "b.psv", *text.splitlines()[1:]), **OCTOBER)
    assert result.equal
    assert any("were not compared" in note and ": 1" in note for note in result.notes)


def test_what_a_comparison_notes_is_read_in_the_language_of_the_reader(file: Path) -> None:
    run_import(file)
    Job.objects.filter(job_id=1).delete()
    with translation.override("th"):
        shown = compare(file, **OCTOBER).notes + compare(file).notes
    kept = [heard(note) for row in Reconciliation.objects.order_by("pk") for note in row.notes]
    assert any(note.startswith("Records of the source that are not stored: 1 (") for note in kept)
    assert len(kept) == len(shown)
    assert not {*kept} & {*shown}, "each was said in Thai and is read in English"


# --- the command ---------------------------------------------------------------------
WINDOW = ("--start", "2026-09-01", "--end", "2026-11-30")


def test_exit_zero_and_three_and_the_json(file: Path) -> None:
    code, text = run("--file", str(file), *WINDOW, "--format=json")
    result = json.loads(text)
    assert (code, result["equal"], result["rows"], result["groups"]) == (0, True, [], 3)
    assert result["totals"]["stored"] == result["totals"]["source"] == {
        "jobs": 4, "cpu_core_seconds": 800, "gpu_seconds": 0, "mem_mib_seconds": 409600,
    }  # fmt: skip
    assert len(json.loads(run("--file", str(file), *WINDOW, "--format=json", "--all")[1])["rows"]) == 3
    Job.objects.filter(job_id=1).delete()
    code, text = run("--file", str(file), *WINDOW, "--format=json")
    result = json.loads(text)
    assert (code, len(result["rows"])) == (3, 1)
    assert result["rows"][0] | {"stored": 0, "source": 0} == {
        "month": "2026-09", "username": "alice", "account": "physics", "differs": True, "stored": 0, "source": 0,
        "difference": {"jobs": -1, "cpu_core_seconds": -200, "gpu_seconds": 0, "mem_mib_seconds": -102400},
    }  # fmt: skip
    assert result["records"]["missing_here"] == {"count": 1, "job_keys": ["c1:1:1789999000"]}
    code, text = run("--file", str(file), *WINDOW)
    assert (code, "2026-09 alice physics" in text, "-102400" in text) == (3, True, True)


def test_trouble_has_the_exit_codes_of_an_import(file: Path, no_sacct: None, settings: Any) -> None:
    settings.SLURMRESTD_URL = ""
    for arguments, code in (
        (("--file", "/does/not/exist", *WINDOW), 2),
        (("--file", str(file)), 2),
        (("--file", str(file), "--start=2026-11-01", "--end=2026-10-01"), 2),
        (("--source=sacct", *WINDOW), 69),
        (("--source=slurmrestd", *WINDOW), 78),
    ):
        assert run(*arguments)[0] == code, arguments
    with run_lock("import:c1"):
        assert run("--file", str(file), *WINDOW)[0] == 75


# --- what is kept --------------------------------------------------------------------
def test_a_comparison_is_kept_and_audited_and_a_dry_run_is_not(file: Path) -> None:
    assert compare(file, dry_run=True).reconciliation_id is None
    assert not Reconciliation.objects.exists()
    Job.objects.filter(job_id=1).delete()
    result = compare(file)
    kept = Reconciliation.objects.get(pk=result.reconciliation_id)
    assert (kept.status, kept.groups, kept.differing, kept.cluster, kept.actor) == ("differs", 3, 1, "c1", "system")
    first = kept.lines.all()[0]
    assert (first.differs, first.stored_jobs, first.source_jobs, first.sreport_cpu) == (True, 1, 2, None)
    entry = AuditLog.objects.get(action="usage_reconcile")
    assert (entry.entity_id, entry.status, entry.extra["differing"]) == (str(kept.pk), "ok", 1)


def test_a_source_that_breaks_off_is_a_failed_comparison(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from usage.services import comparing

    def broken(*_: Any) -> None:
        raise Unavailable("it went away")

    monkeypatch.setattr(comparing, "load", broken)
    with pytest.raises(Unavailable):
        compare(file)
    kept = Reconciliation.objects.get()
    assert (kept.status, "went away" in kept.error) == ("failed", True)
    assert AuditLog.objects.get(action="usage_reconcile").status == "failed"


def test_one_that_was_killed_is_marked_by_the_next(file: Path) -> None:
    Reconciliation.objects.create(
        cluster="c1", source="csv", window_start=OCTOBER["start"], window_end=OCTOBER["end"], actor="system"
    )
    compare(file)
    assert list(Reconciliation.objects.order_by("id").values_list("status", flat=True)) == ["failed", "equal"]


# --- sreport -------------------------------------------------------------------------
@pytest.fixture
def said(sacct: Sacct, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A sacct with one job over the month's end, and a sreport that says what it is told."""
    fields = "JobIDRaw|JobID|Cluster|User|Account|Submit|Start|End|ElapsedRaw|ReqTRES|AllocTRES|State".replace(
        "|", "\x1f"
    )
    # From 23:00 on 30 September to 01:00 on 1 October in Bangkok, 2 CPUs, 1 GPU.
    cells = "7|7|bench|alice|physics|1790780000|1790784000|1790791200|7200|cpu=2|cpu=2,gres/gpu=1,mem=1G|COMPLETED"
    sacct.says(f"{fields}\n{cells.replace('|', chr(31))}\n".encode())

    def say(text: str, code: int = 0) -> None:
        script = sacct.folder / "sreport"
        (sacct.folder / "report").write_text(text)
        script.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$TZ" "$@" >> "{sacct.folder}/asked"\ncat "{sacct.folder}/report"\nexit {code}\n'
        )
        script.chmod(0o755)

    return say


def test_sreport_is_held_against_the_jobs_cut_at_the_months_ends(said: Any, tmp_path: Path) -> None:
    said("bench|physics||cpu|7200\nbench|physics|alice|cpu|7200\nbench|physics|alice|gres/gpu|3600\n")
    run_import(source="sacct", **OCTOBER)
    result = reconcile_usage(actor=SYSTEM, source="sacct", **OCTOBER)
    (line,) = result.lines
    assert (line.source.cpu, line.source.gpu) == (14400, 7200), "counted whole where it ended"
    assert line.clipped == line.reported == sreport.Used(7200, 3600), "cut where the month begins"
    assert result.notes == []
    asked = (tmp_path / "bin" / "asked").read_text().splitlines()
    assert asked[0] == "Asia/Bangkok"
    assert {"Start=2026-10-01T00:00:00", "End=2026-11-01T00:00:00", "Clusters=bench"} <= set(asked)


def test_what_sreport_says_otherwise_is_noted_and_is_no_difference(said: Any) -> None:
    said("bench|physics|alice|cpu|7201\nbench|chem|bob|cpu|5\n")
    run_import(source="sacct", **OCTOBER)
    result = reconcile_usage(actor=SYSTEM, source="sacct", **OCTOBER)
    assert result.equal
    assert ["something else: 2" in note for note in result.notes] == [True]
    kept = ReconciliationLine.objects.get(username="bob")
    assert (kept.differs, kept.clipped_cpu, kept.sreport_cpu) == (False, 0, 5)


@pytest.mark.parametrize(("text", "code", "words"), [("", 1, "exit code 1"), ("<html>", 0, "else than a table")])
def test_a_sreport_that_fails_is_a_note(said: Any, text: str, code: int, words: str) -> None:
    said(text, code)
    result = reconcile_usage(actor=SYSTEM, source="sacct", **OCTOBER)
    assert [words in note for note in result.notes] == [False, True]  # the first: the job is not stored


def test_months_that_are_cut_or_not_over_are_not_asked_for(said: Any, tmp_path: Path) -> None:
    said("", 1)
    part = {"start": OCTOBER["start"], "end": datetime(2026, 10, 20, tzinfo=UTC)}
    future = {"start": datetime(2026, 10, 15, tzinfo=UTC), "end": datetime(2126, 11, 1, tzinfo=UTC)}
    reconcile_usage(actor=SYSTEM, source="sacct", **part)
    assert not (tmp_path / "bin" / "asked").exists()
    reconcile_usage(actor=SYSTEM, source="sacct", **{**OCTOBER, "end": future["end"].replace(year=2026, day=2)})
    asked = (tmp_path / "bin" / "asked").read_text()
    assert asked.count("Start=") == 1, "one whole month is over, the other has two days"


# --- the console ---------------------------------------------------------------------
def test_the_console_shows_lines_differing_first_and_changes_nothing(
    file: Path, client: Client, superuser: Any
) -> None:
    Job.objects.filter(job_id=4).delete()
    result = compare(file)
    client.force_login(superuser)
    assert client.get("/admin/usage/reconciliation/").status_code == 200
    where = f"/admin/usage/reconciliation/{result.reconciliation_id}/change/"
    page = client.get(where).content.decode()
    assert page.index("<td>bob</td>") < page.index("<td>alice</td>")
    assert "\u2212102,400" in page
    assert "c1:4:1789999000" in page
    assert client.post(where, {"status": "equal"}).status_code == 403
    assert client.post(where.replace("change", "delete"), {"post": "yes"}).status_code == 403
    assert client.get("/admin/usage/reconciliation/none/change/").status_code == 302


# --- against a running Slurm ---------------------------------------------------------
@pytest.mark.cluster
def test_a_running_slurm_is_equal_and_its_sreport_answers() -> None:
    """Its jobs are minutes old, and Slurm sums up by the full hour: sreport is asked, and has nothing of them yet."""
    now = datetime.now(UTC)
    run_import(source="sacct", start=now - timedelta(days=100), end=now)
    assert Job.objects.exists()
    result = reconcile_usage(actor=SYSTEM, source="sacct", start=now - timedelta(days=2), end=now)
    assert result.equal, result.notes
    assert result.lines
    assert not any("failed" in note or "not installed" in note for note in result.notes)


def test_a_source_that_may_hold_jobs_back_is_no_witness(slurmrestd: Daemon, settings: Any) -> None:
    """Alice's token sees her own jobs; equal to what she could see is not equal."""
    settings.SLURMRESTD_USER, slurmrestd.private, slurmrestd.levels["alice"] = "alice", True, "None"
    start, end, _sums = oracle(LIVE)
    slurmrestd.jobs = read_json(LIVE / CAPTURE)["jobs"]
    run_import(source="slurmrestd", start=start, end=end)
    with pytest.raises(Unavailable, match="held jobs back"):
        reconcile_usage(actor=SYSTEM, source="slurmrestd", start=start, end=end)
    assert Reconciliation.objects.get().status == "failed"
