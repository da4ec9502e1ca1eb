"""Verdicts: every row read ends in exactly one, and no record is stored, changed or billed twice."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction

from audit.models import AuditLog
from core.context import SYSTEM
from core.database.locks import run_lock
from core.errors import Busy, UsageError
from tests.races import at_once
from tests.usage.helpers import HEADER, HIST, LIVE, row, run_import, write
from usage.models import VERDICTS, Adjustment, Cluster, ImportRun, Job, QuarantinedRow
from usage.services import bulk, staging
from usage.services.claims import claim_jobs
from usage.sources import lines

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "usage.psv"


def claim(**which: Any) -> None:
    with transaction.atomic():
        assert claim_jobs(Job.objects.filter(**which), document="receipt:1") == 1


# --- new, known, changed -----------------------------------------------------------
def test_a_running_job_is_kept_without_an_end_and_updated_in_place_when_it_ends(file: Path) -> None:
    running = row(1, End="Unknown", State="RUNNING", ElapsedRaw=50)
    assert run_import(write(file, running)).pending == 1
    job = Job.objects.get()
    assert (job.end_at, job.elapsed_seconds) == (None, 50)
    assert run_import(write(file, running.replace("|50|", "|60|"))).pending == 1
    job.refresh_from_db()
    assert job.elapsed_seconds == 60
    result = run_import(write(file, row(1)))
    assert (result.updated, result.imported, result.pending) == (1, 0, 0)
    job.refresh_from_db()
    assert (job.has_ended, job.elapsed_seconds, job.cpu_core_seconds, job.state) == (True, 100, 200, "COMPLETED")


def test_an_older_listing_does_not_reopen_a_job_that_has_ended(file: Path) -> None:
    run_import(write(file, row(1)))
    assert run_import(write(file, row(1, End="Unknown", State="RUNNING", ElapsedRaw=5))).pending == 1
    assert Job.objects.get().cpu_core_seconds == 200


def test_an_end_that_slurm_only_expects_is_no_end(file: Path) -> None:
    assert run_import(write(file, row(1, State="RUNNING"))).pending == 1
    assert Job.objects.get().end_at is None


def test_a_record_that_changed_before_it_was_billed_is_updated(file: Path) -> None:
    run_import(write(file, row(1, ElapsedRaw=90)))
    first = Job.objects.get()
    result = run_import(write(file, row(1)))
    assert (result.updated, result.duplicate) == (1, 0)
    second = Job.objects.get()
    assert (second.pk, second.elapsed_seconds, second.gpu_seconds) == (first.pk, 100, 0)
    assert second.import_run_id != first.import_run_id


def test_a_record_that_changed_after_it_was_billed_is_noted_for_review_and_the_job_untouched(file: Path) -> None:
    run_import(write(file, row(1), row(2)))
    claim(job_id=1)
    before = Job.objects.filter(job_id=1).values().get()
    result = run_import(write(file, row(1, ElapsedRaw=99, End=1790000099), row(2)))
    assert (result.by_reason, result.duplicate) == ({"changed_after_billing": 1}, 1)
    assert Job.objects.filter(job_id=1).values().get() == before
    noted = Adjustment.objects.get()
    assert (noted.job.job_key, noted.document, noted.status) == ("c1:1:1789999000", "receipt:1", "open")
    assert noted.before == {
        "end_at": 1790000100,
        "elapsed_seconds": 100,
        "cpu_core_seconds": 200,
        "mem_mib_seconds": 102400,
    }
    assert noted.after == {
        "end_at": 1790000099,
        "elapsed_seconds": 99,
        "cpu_core_seconds": 198,
        "mem_mib_seconds": 101376,
    }
    assert not QuarantinedRow.objects.exists()
    again = run_import(write(file, row(1, ElapsedRaw=99, End=1790000099)))
    assert (again.by_reason, again.duplicate, Adjustment.objects.count()) == ({"changed_after_billing": 1}, 0, 1), (
        "the same change is noted once, and is not done with before somebody decides"
    )
    assert ImportRun.objects.latest("id").status == "partial"


def test_a_billed_record_that_comes_again_as_it_was_is_a_duplicate(file: Path) -> None:
    run_import(write(file, row(1, TotalCPU="")))
    claim(job_id=1)
    result = run_import(write(file, row(1)))
    assert (result.duplicate, result.quarantined) == (1, 0)
    assert Job.objects.get().used_cpu_seconds is None, "a billed record is not edited at all"


def test_used_cpu_is_filled_in_and_never_taken_away(file: Path) -> None:
    for total, verdict, value in (("", "imported", None), ("00:01:29.500", "updated", 90), ("", "duplicate", 90)):
        result = run_import(write(file, row(1, TotalCPU=total)))
        assert getattr(result, verdict) == 1
        assert Job.objects.get().used_cpu_seconds == value


def test_a_source_that_knows_less_does_not_blank_what_is_known(file: Path) -> None:
    run_import(write(file, row(1) + "|train|gpu", header=HEADER + "|JobName|Partition"))
    run_import(write(file, row(1, ElapsedRaw=101)))
    job = Job.objects.get()
    assert (job.elapsed_seconds, job.job_name, job.partition) == (101, "train", "gpu")


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_of_one_key_twice_in_one_input_the_last_wins_wherever_it_is_cut(
    file: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK", block)
    result = run_import(write(file, row(1, ElapsedRaw=10), row(2), row(1, ElapsedRaw=20)))
    assert (result.imported, result.duplicate, result.updated) == (2, 1, 0)
    assert Job.objects.get(job_id=1).elapsed_seconds == 20


def test_a_job_id_that_comes_back_after_years_is_another_job(file: Path) -> None:
    earlier = row(1, User="bob", Submit=1689999000, Start=1690000000, End=1690000100)
    assert run_import(write(file, earlier, row(1), row(1, Cluster="c2"))).imported == 3


# --- two kinds of key ---------------------------------------------------------------
WEAK = HEADER.replace("|Submit", "").replace("|Start", "")


def weak(job: int = 1, **cells: Any) -> str:
    parts = row(job, **cells).split("|")
    return "|".join(parts[:5] + parts[7:])


def test_a_job_seen_running_without_a_submit_time_gets_its_full_key_when_it_ends(file: Path) -> None:
    run_import(write(file, weak(1, End="Unknown", State="RUNNING"), header=WEAK))
    assert Job.objects.get().job_key == "c1:1:0"
    assert run_import(write(file, row(1))).updated == 1
    assert Job.objects.get().job_key == "c1:1:1789999000"
    assert run_import(write(file, weak(1, End="Unknown", State="RUNNING"), header=WEAK)).pending == 1
    assert Job.objects.count() == 1


def test_a_job_seen_running_and_ended_without_a_submit_time_is_one_job(file: Path) -> None:
    run_import(write(file, weak(1, End="Unknown", State="RUNNING"), header=WEAK))
    assert run_import(write(file, weak(1), header=WEAK)).updated == 1
    assert Job.objects.get().job_key == "c1:1:1790000100"
    assert run_import(write(file, weak(1), header=WEAK)).duplicate == 1


def test_keys_of_two_kinds_that_read_the_same_are_refused_not_mixed(file: Path) -> None:
    run_import(write(file, weak(1, End=1790000100), header=WEAK))
    other = row(1, User="bob", Submit=1790000100, Start=1790000200, End=1790000300)
    result = run_import(write(file, other))
    assert result.by_reason == {"key_clash": 1}
    assert Job.objects.get().username == "alice"


# --- what was asked -----------------------------------------------------------------
def test_other_users_and_clusters_are_left_out_and_named(file: Path) -> None:
    write(file, row(1), row(2, User="bob"), row(3, Cluster="c2"))
    result = run_import(file, user="alice", cluster="c1")
    assert (result.rows_read, result.imported) == (1, 1)
    assert result.notes == ["1 rows of other users were left out.", "1 rows of other clusters were left out."]


def test_a_cluster_appears_with_its_first_job(file: Path) -> None:
    run_import(write(file, row(1), row(2, Cluster="c2")))
    run_import(write(file, row(1)))
    assert sorted(Cluster.objects.values_list("name", flat=True)) == ["c1", "c2"]


def test_an_unknown_zone_and_an_empty_window_are_usage_errors(file: Path) -> None:
    write(file, row(1))
    for zone in ("Mars/Olympus", "../etc/passwd", "/etc/localtime"):
        with pytest.raises(UsageError, match="time zone"):
            run_import(file, timezone=zone)
    moment = ImportRun._meta.get_field("started_at").to_python("2026-10-01T00:00:00Z")
    with pytest.raises(UsageError, match="window"):
        run_import(file, start=moment, end=moment)
    assert not ImportRun.objects.exists()


# --- the run itself -----------------------------------------------------------------
def test_a_dry_run_counts_the_same_and_stores_nothing(file: Path) -> None:
    run_import(write(file, row(1, ElapsedRaw=1), row(2)))
    write(file, row(1), row(2), row(3), row(4, User=""), row(5, State="RUNNING"), row(3), weak(9))
    audit = AuditLog.objects.count()
    tried = run_import(file, dry_run=True)
    assert (Job.objects.count(), ImportRun.objects.count(), QuarantinedRow.objects.count()) == (2, 1, 0)
    assert AuditLog.objects.count() == audit
    real = run_import(file)
    same = set(tried.as_dict()) - {"seconds"}
    assert {name: tried.as_dict()[name] for name in same} == {name: real.as_dict()[name] for name in same}
    assert (real.imported, real.updated, real.duplicate, real.pending, real.quarantined) == (1, 1, 2, 1, 2)


def test_a_run_is_kept_with_its_counters_and_one_audit_entry(file: Path) -> None:
    result = run_import(write(file, row(1), row(2, State="RUNNING"), "broken"))
    run = ImportRun.objects.get(pk=result.run_id)
    assert (run.status, run.rows_read, run.imported, run.pending, run.quarantined) == ("partial", 3, 1, 1, 1)
    assert (run.source, run.cluster, run.file_name, run.actor) == ("csv", "c1", "usage.psv", "system")
    assert run.finished_at
    entry = AuditLog.objects.get(action="usage_import")
    assert (entry.target, entry.status, entry.entity_id) == ("csv:c1", "ok", str(run.pk))
    assert entry.extra["by_reason"] == {"field_count": 1}


def test_the_verdicts_are_the_columns_of_a_run_that_metrics_are_read_from(file: Path) -> None:
    run_import(write(file, row(1), row(2)))
    run_import(file, dry_run=True)
    assert list(ImportRun.objects.values_list(*VERDICTS)) == [(2, 0, 0, 0, 0, 0)], "a dry run counts nothing"


def test_a_failure_in_the_middle_keeps_whole_chunks_and_the_next_run_completes(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK", 600)  # five or six rows
    write(file, *(row(number) for number in range(1, 36)))
    load, calls = bulk.load, []

    def failing(cursor: Any, table: str, records: Any, constants: Any) -> None:
        load(cursor, table, records, constants)
        calls.append(len(records))
        if len(calls) == 3:  # the third batch's rows are inserted; what comes next fails
            cursor.execute("UPDATE jobs SET no_such_column = 1")

    monkeypatch.setattr(bulk, "load", failing)
    with pytest.raises(DatabaseError, match="no_such_column"):
        run_import(file)
    kept = calls[0] + calls[1]
    run = ImportRun.objects.get()
    assert (run.status, run.imported, run.rows_read) == ("failed", kept, kept)
    assert "no_such_column" in run.error
    assert Job.objects.count() == kept
    assert AuditLog.objects.get(action="usage_import").status == "failed"
    monkeypatch.setattr(bulk, "load", load)
    result = run_import(file)
    assert (result.imported, result.duplicate, Job.objects.count()) == (35 - kept, kept, 35)


def test_what_the_database_refuses_while_rows_are_loaded_is_a_database_error(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL rows go in by the driver's own COPY, past Django's translation of errors."""
    load = bulk.load

    def spoiled(cursor: Any, table: str, records: Any, constants: Any) -> None:
        place = records.column_names.index("gpu_types")
        load(cursor, table, records.set_column(place, "gpu_types", [["{"]]), constants)

    monkeypatch.setattr(bulk, "load", spoiled)
    with pytest.raises(DatabaseError):
        run_import(write(file, row(1)))
    assert ImportRun.objects.get().status == "failed"


def test_a_run_that_died_is_marked_by_the_next_one(file: Path) -> None:
    dead = ImportRun.objects.create(source="csv", cluster="c1", actor="system")
    elsewhere = ImportRun.objects.create(source="csv", cluster="c2", actor="system")
    run_import(write(file, row(1)))
    dead.refresh_from_db()
    elsewhere.refresh_from_db()
    assert (dead.status, elsewhere.status) == ("failed", "running")
    assert "Interrupted" in dead.error


def test_while_a_cluster_is_being_imported_another_import_of_it_is_busy(file: Path) -> None:
    write(file, row(1))
    with run_lock("import:c1"), pytest.raises(Busy) as caught:
        run_import(file)
    assert caught.value.exit_code == 75
    assert run_import(file).imported == 1


def test_a_file_of_several_clusters_waits_for_none_of_them_to_be_imported_twice(file: Path) -> None:
    write(file, row(1), row(2, Cluster="c2"))
    with run_lock("import:c2"), pytest.raises(Busy):
        run_import(file)
    assert ImportRun.objects.get().status == "failed"
    assert run_import(file).rows_read == 2


def test_clusters_are_lower_case_as_slurm_keeps_them(file: Path) -> None:
    run_import(write(file, row(1, Cluster="Tara"), row(2, Cluster="TARA", JobID="2+0")))
    assert (
        run_import(write(file, row(1, Cluster="tara"), row(2, Cluster="tara", JobID="2+0")), cluster="TARA").duplicate
        == 2
    )
    assert list(Cluster.objects.values_list("name", flat=True)) == ["tara"]


def test_states_that_nobody_knows_are_named(file: Path) -> None:
    result = run_import(write(file, row(1, State="FOO"), row(2)))
    assert result.imported == 2
    assert any("FOO" in note for note in result.notes)


def test_an_older_listing_without_submit_times_leaves_no_ghost_of_an_ended_job(file: Path) -> None:
    run_import(write(file, weak(1), header=WEAK))
    assert run_import(write(file, weak(1, End="Unknown", State="RUNNING"), header=WEAK)).pending == 1
    assert Job.objects.get().has_ended


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_one_cluster_at_once_store_every_job_once() -> None:

    def one(_index: int) -> int | Busy:
        try:
            return run_import(HIST / "sacct-X-D.psv.gz").imported
        except Busy as error:
            return error

    results = at_once(2, one)
    busy = [result for result in results if isinstance(result, Busy)]
    # Either they met (one is refused) or one was through before the other took the lock (it imports nothing).
    assert sorted(result for result in results if not isinstance(result, Busy)) == ([1094] if busy else [0, 1094])
    assert Job.objects.count() == 1095


@pytest.mark.django_db(transaction=True)
def test_imports_of_two_clusters_that_bring_the_same_file_store_every_job_once(file: Path) -> None:
    """Other lock names, same rows: the chunks themselves queue up."""
    import_both = [LIVE / "sacct-X-epoch.psv", write(file, row(1), *_live_rows(), header=HEADER)]

    def one(index: int) -> None:
        with suppress(Busy):  # where they meet, one of them is refused
            run_import(import_both[index])

    at_once(2, one)
    assert Job.objects.filter(cluster="bench", end_at__isnull=False).count() == 65


def _live_rows() -> list[str]:
    lines = (LIVE / "sacct-X-epoch.psv").read_text().splitlines()
    names = lines[0].split("|")
    wanted = [names.index(name) for name in HEADER.split("|")]
    return ["|".join(line.split("|")[index] for index in wanted) for line in lines[1:]]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_document_that_claims_a_job_during_its_update_wins(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim commits between the import's reading and its verdict: the change must be refused, not written."""
    run_import(write(file, row(1)))
    lock = staging._lock_changed

    def claim_first(cursor: Any, keys: Any, verdicts: list[str]) -> None:
        done = threading.Thread(target=_claim_and_close)
        done.start()
        done.join()
        lock(cursor, keys, verdicts)

    monkeypatch.setattr(staging, "_lock_changed", claim_first)
    assert connection.vendor == "postgresql"
    result = run_import(write(file, row(1, ElapsedRaw=7)))
    assert result.by_reason == {"changed_after_billing": 1}
    assert Job.objects.get().elapsed_seconds == 100


def _claim_and_close() -> None:
    try:
        claim(job_id=1)
    finally:
        connections.close_all()


def test_the_actor_is_written_down(file: Path) -> None:
    run_import(write(file, row(1)))
    assert ImportRun.objects.get().actor == SYSTEM.name
