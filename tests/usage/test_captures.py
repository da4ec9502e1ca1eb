"""Real accounting output against sums that SQL worked out from slurmdbd's own tables."""

from __future__ import annotations

import pytest

from tests.usage.helpers import HIST, LIVE, Sums, at, keys, oracle, run_import, stored
from usage.models import Job, QuarantinedRow

pytestmark = pytest.mark.django_db


def test_two_months_of_history_equal_the_oracle_to_the_second() -> None:
    result = run_import(HIST / "sacct-X-D.psv.gz")
    start, end, expected = oracle(HIST)
    assert len(expected) >= 6
    assert stored(start, end) == expected
    assert (result.rows_read, result.imported, result.pending, result.quarantined) == (1095, 1094, 1, 0)
    assert result.cluster == "bench"


def test_a_second_import_changes_nothing() -> None:
    run_import(HIST / "sacct-X-D.psv.gz")
    before = list(Job.objects.order_by("job_key").values())
    result = run_import(HIST / "sacct-X-D.psv.gz")
    assert (result.imported, result.updated, result.duplicate, result.pending) == (0, 0, 1094, 1)
    after = list(Job.objects.order_by("job_key").values())
    ended = [row for row in before if row["end_at"]]
    assert [row for row in after if row["end_at"]] == ended


def test_steps_are_counted_and_the_job_totals_stay_the_same() -> None:
    result = run_import(HIST / "sacct-steps-D.psv.gz")
    start, end, expected = oracle(HIST)
    assert (result.steps, result.imported, result.pending) == (1601, 1094, 1)
    assert stored(start, end) == expected


def test_a_listing_with_steps_adds_the_used_cpu_and_one_without_does_not_take_it_away() -> None:
    run_import(HIST / "sacct-X-D.psv.gz")
    assert not Job.objects.filter(used_cpu_seconds__gt=0).exists()
    assert Job.objects.filter(elapsed_seconds__gt=0, end_at__isnull=False, used_cpu_seconds=0).count() == 0
    assert run_import(HIST / "sacct-steps-D.psv.gz").updated > 1000
    job = Job.objects.get(job_id=201366)
    assert job.used_cpu_seconds == 25 * 86400 + 12 * 3600 + 51 * 60 + 10
    assert run_import(HIST / "sacct-X-D.psv.gz").updated == 0
    job.refresh_from_db()
    assert job.used_cpu_seconds == 2206270


def minus(sums: Sums, jobs: list[tuple[str, str, int, int, int]]) -> Sums:
    left = dict(sums)
    for user, account, *amounts in jobs:
        left[user, account] = tuple(a - b for a, b in zip(left[user, account], amounts, strict=True))  # type: ignore[assignment]
    return left


def test_names_that_break_their_rows_cost_exactly_those_rows() -> None:
    result = run_import(LIVE / "sacct-X-D.psv")
    start, end, expected = oracle(LIVE)
    # a|b|c (job 1030) shifts its columns; two\nlines (job 1035) and its submit line make three broken lines.
    assert result.by_reason == {"field_count": 4}
    assert sorted(QuarantinedRow.objects.values_list("line_no", flat=True)) == [31, 36, 37, 38]
    assert QuarantinedRow.objects.get(line_no=36).raw.endswith("|two")
    assert not Job.objects.filter(job_id__in=[1030, 1035]).exists()
    broken = [("alice", "physics", 2, 0, 2048), ("carol", "gov-lab", 2, 0, 2048)]
    assert stored(start, end) == minus(expected, broken)


def test_without_free_text_the_same_window_equals_the_oracle_in_full() -> None:
    result = run_import(LIVE / "sacct-X-epoch.psv")
    start, end, expected = oracle(LIVE)
    assert (result.quarantined, result.pending) == (0, 7)
    assert stored(start, end) == expected


def test_the_same_jobs_in_bangkok_time_get_the_same_keys_and_sums() -> None:
    run_import(LIVE / "sacct-X-epoch.psv")
    before = keys()
    result = run_import(LIVE / "sacct-X-bangkok.psv", timezone="Asia/Bangkok")
    assert (result.imported, result.updated, result.quarantined) == (0, 0, 0)
    assert keys() == before


def test_the_repeated_hour_of_a_clock_change_does_not_shorten_a_job() -> None:
    run_import(HIST / "sacct-X-D.psv.gz")
    true = dict(Job.objects.values_list("job_id_display", "elapsed_seconds"))
    Job.objects.all().delete()
    run_import(HIST / "sacct-X-D-berlin-dst.psv", timezone="Europe/Berlin")
    across = Job.objects.filter(start_at__gt="2026-10-24T00:00:00Z", end_at__lt="2026-10-26T00:00:00Z")
    assert across.filter(start_at__lt="2026-10-25T01:00:00Z", end_at__gte="2026-10-25T01:00:00Z").exists()
    assert all(true[job.job_id_display] == job.elapsed_seconds for job in across)
    assert all(job.cpu_core_seconds == job.cpus * job.elapsed_seconds for job in across)


def test_the_seven_column_file_imports_and_bills_what_was_requested() -> None:
    result = run_import(LIVE / "sacct-seedcols.psv", cluster="bench")
    assert (result.rows_read, result.imported, result.pending, result.quarantined) == (68, 61, 7, 0)
    job = Job.objects.get(job_id_display="1000")
    assert job.job_key == "bench:1000:1795187129"
    assert (job.username, job.cpus, job.mem_mib, job.elapsed_seconds, job.submit_at) == ("alice", 1, 1024, 77, None)
    assert job.cpu_core_seconds == 77
    assert run_import(LIVE / "sacct-seedcols.psv", cluster="bench").duplicate == 61


@pytest.mark.parametrize("first", ["seven columns", "full"])
def test_a_record_known_under_the_other_kind_of_key_is_not_billed_twice(first: str) -> None:
    files = [LIVE / "sacct-seedcols.psv", LIVE / "sacct-X-epoch.psv"]
    for file in files if first == "seven columns" else reversed(files):
        run_import(file, cluster="bench")
    twice = Job.objects.filter(end_at__isnull=False).values_list("username", "job_id_display", "end_at")
    assert len(set(twice)) == len(twice)
    assert Job.objects.filter(submit_at__isnull=True).count() == (61 if first == "seven columns" else 0)
    assert Job.objects.filter(end_at__isnull=True).count() == 7


AGAIN = {1055: "REQUEUED", 1061: "NODE_FAIL", 1068: "PREEMPTED", 1059: "RESIZING"}


def test_requeued_array_and_het_records_are_records_of_their_own() -> None:
    run_import(LIVE / "sacct-X-epoch.psv")
    runs = {
        job: list(Job.objects.filter(job_id=job).order_by("end_at").values_list("state", flat=True)) for job in AGAIN
    }
    assert runs == {job: [state, "COMPLETED"] for job, state in AGAIN.items()}
    assert Job.objects.get(job_id_display="1052_5").job_id == 1052
    assert list(Job.objects.filter(het_job_id=1046).order_by("job_id").values_list("job_id", "het_offset")) == [
        (1046, 0),
        (1047, 1),
    ]
    assert Job.objects.filter(array_job_id=1052).count() == 6


def test_a_job_that_never_started_holds_nothing_even_where_it_asked_for_much() -> None:
    run_import(HIST / "sacct-X-D.psv.gz")
    job = Job.objects.get(job_id=201239)
    assert (job.state, job.start_at, job.cpus, job.cpu_core_seconds) == ("DEADLINE", None, 0, 0)
    assert (job.req_cpus, job.req_mem_mib) == (16, 64000)


def test_an_exclusive_job_is_billed_for_what_it_was_given_not_for_what_it_asked() -> None:
    run_import(LIVE / "sacct-X-epoch.psv")
    assert Job.objects.filter(req_cpus=1, cpus=32, gpus=4, elapsed_seconds__gt=0).exists()


def test_a_window_holds_its_start_and_leaves_out_its_end() -> None:
    ends = sorted(set(_ends()))
    first, last = ends[5], ends[15]
    Job.objects.all().delete()
    result = run_import(LIVE / "sacct-X-epoch.psv", start=at(first), end=at(last))
    kept = Job.objects.filter(end_at__isnull=False)
    assert {int(job.end_at.timestamp()) for job in kept} == set(ends[5:15])
    assert result.pending == 7
    assert result.rows_read == kept.count() + 7
    assert any("outside the window" in note for note in result.notes)


def _ends() -> list[int]:
    run_import(LIVE / "sacct-X-epoch.psv")
    return [int(end.timestamp()) for end in Job.objects.filter(end_at__isnull=False).values_list("end_at", flat=True)]
