"""One job of slurmrestd's JSON: read whole or refused, and the same record that sacct gives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.usage.conftest import Daemon
from tests.usage.helpers import LIVE, keys, oracle, read_json, run_import
from tests.usage.restd import ask, facts
from usage.models import Job, QuarantinedRow
from usage.sources.restjson import number

pytestmark = pytest.mark.django_db
JOBS = "/slurmdb/v0.0.38/jobs"


def test_a_name_that_is_not_utf_8_breaks_its_own_record_and_no_other(slurmrestd: Daemon) -> None:
    jobs = read_json(LIVE / "slurmdb-v0.0.38-jobs-skip_steps.json.gz")["jobs"]
    jobs[0]["name"], jobs[1]["association"]["account"] = "free\udcff", "phys\udcff"
    body = json.dumps({"errors": [], "jobs": jobs}, ensure_ascii=False).encode("utf-8", "surrogateescape")
    slurmrestd.answers[JOBS] = (200, body, "application/json")
    result = ask(slurmrestd, name="")
    assert (result.by_reason, result.rows_read) == ({"bad_encoding": 1}, 72)


def test_a_job_whose_association_is_gone_keeps_its_user(slurmrestd: Daemon) -> None:
    ask(slurmrestd)
    before = facts()
    Job.objects.all().delete()
    for job in slurmrestd.jobs:
        job["association"] = {"account": "", "cluster": "", "partition": None, "user": ""}
    ask(slurmrestd, name="")
    assert facts() == before


def test_a_record_without_its_parts_is_refused_and_its_neighbours_kept(slurmrestd: Daemon) -> None:
    jobs = read_json(LIVE / "slurmdb-v0.0.38-jobs-skip_steps.json.gz")["jobs"]
    del jobs[0]["tres"]["allocated"]
    jobs[1]["time"]["elapsed"] = -4
    jobs[2]["association"]["user"] = jobs[2]["user"] = ""
    jobs[3]["state"]["current"] = []
    jobs[4]["job_id"] = None
    slurmrestd.jobs = jobs
    result = ask(slurmrestd, name="")
    assert result.by_reason == {"bad_duration": 1, "bad_job_id": 1, "bad_record": 1, "no_state": 1, "no_user": 1}
    assert result.imported + result.pending == 67
    assert all(json.loads(row.raw)["cluster"] == "bench" for row in QuarantinedRow.objects.all())


@pytest.mark.parametrize(
    ("value", "read"),
    [(5, 5), (0, 0), (None, None), ("Infinity", None), ("7", 7), (7.0, 7), (-2, None), (18446744073709551614, None),
     ({"set": True, "infinite": False, "number": 7}, 7), ({"set": False, "infinite": False, "number": 0}, None),
     ({"set": True, "infinite": True, "number": 0}, None)],
)  # fmt: skip
def test_numbers_of_every_version_are_read(value: Any, read: int | None) -> None:
    assert number(value) == read


@pytest.mark.parametrize("count", ["many", 4.5, True, [], "-1", "９"])
def test_an_amount_that_cannot_be_read_is_refused_and_not_taken_for_zero(slurmrestd: Daemon, count: Any) -> None:
    job = read_json(LIVE / "slurmdb-v0.0.38-jobs-skip_steps.json.gz")["jobs"][0]
    job["tres"]["allocated"][0]["count"] = count
    slurmrestd.jobs = [job]
    assert ask(slurmrestd, name="").by_reason == {"bad_record": 1}


def test_a_pending_array_shows_its_rest_as_sacct_does(slurmrestd: Daemon) -> None:
    job = next(
        job for job in read_json(LIVE / "slurmdb-v0.0.38-jobs-skip_steps.json.gz")["jobs"] if not job["time"]["end"]
    )
    job["array"] = {"job_id": job["job_id"], "task_id": None, "task": "5-20%3"}
    slurmrestd.jobs = [job]
    ask(slurmrestd, name="")
    kept = Job.objects.get()
    assert (kept.job_id_display, kept.array_job_id, kept.array_task_id) == (
        f"{job['job_id']}_[5-20%3]",
        job["job_id"],
        None,
    )


def test_keys_stay_the_same_when_the_source_changes(slurmrestd: Daemon) -> None:
    ask(slurmrestd)
    before = keys()
    start, end, _ = oracle(LIVE)
    run_import(LIVE / "sacct-X-epoch.psv", start=start, end=end)
    assert keys() == before
