"""Against a running Slurm: slurmrestd and sacct must tell the same story (``make cluster-test``)."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.errors import Unavailable
from tests.usage.helpers import run_import, stored
from usage.models import Job

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.cluster,
]
FACTS = (
    "job_key", "username", "account", "state", "submit_at", "start_at", "end_at", "elapsed_seconds", "cpus", "gpus",
    "mem_mib", "nodes", "cpu_core_seconds", "gpu_seconds", "mem_mib_seconds", "overlap_seconds", "job_id_display",
)  # fmt: skip


def window() -> tuple[datetime, datetime]:
    """The last ten days that hold jobs, up to and with the newest end."""
    command = ["sacct", "-aXDPn", "-S", "2020-01-01", "-E", "now", "-o", "End"]
    environment = {**os.environ, "TZ": "UTC", "SLURM_TIME_FORMAT": "%s"}
    text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    newest = max((int(line) for line in text.split() if line.isdigit()), default=0)
    assert newest, "the cluster has no ended jobs"
    end = datetime.fromtimestamp(newest + 1, UTC)
    return end - timedelta(days=10), end


def test_slurmrestd_and_sacct_give_the_same_records_and_sums() -> None:
    start, end = window()
    by_rest = run_import(source="slurmrestd", start=start, end=end)
    sums, facts = stored(start, end), _facts()
    assert by_rest.imported > 0
    assert run_import(source="sacct", start=start, end=end).duplicate == by_rest.imported, "the sources disagree"
    Job.objects.all().delete()
    by_sacct = run_import(source="sacct", start=start, end=end)
    assert (by_sacct.imported, by_sacct.quarantined) == (by_rest.imported, 0)
    assert (stored(start, end), _facts()) == (sums, facts)


def _facts() -> list[Any]:
    return list(Job.objects.filter(end_at__isnull=False).order_by("job_key").values(*FACTS))


def test_a_token_that_is_not_the_daemons_is_refused(settings: Any) -> None:
    settings.SLURMRESTD_TOKEN = "not.a.token"
    settings.SLURMRESTD_USER = "root"
    start, end = window()
    with pytest.raises(Unavailable, match=r"refused|refuses|error"):
        run_import(source="slurmrestd", start=start, end=end)
    assert not Job.objects.exists()


def test_answers_over_the_limit_are_asked_in_smaller_windows_and_lose_nothing(settings: Any) -> None:
    start, end = window()
    whole = run_import(source="slurmrestd", start=start, end=end)
    facts = _facts()
    Job.objects.all().delete()
    settings.SLURMRESTD_MAX_BYTES = 700_000  # a little more than the daemon says of itself
    again = run_import(source="slurmrestd", start=start, end=end)
    assert (again.imported, again.quarantined) == (whole.imported, 0)
    assert _facts() == facts


def test_what_a_plain_users_token_shows_is_noticed_when_it_is_theirs_alone(settings: Any) -> None:
    start, end = window()
    run_import(source="sacct", start=start, end=end)
    user = Job.objects.exclude(username="root").values_list("username", flat=True).order_by("username")[0]
    everybody = Job.objects.values("username").distinct().count()
    Job.objects.all().delete()
    said = subprocess.run(["scontrol", "token", f"username={user}"], capture_output=True, text=True, check=True).stdout
    settings.SLURMRESTD_USER, settings.SLURMRESTD_TOKEN = user, said.strip().removeprefix("SLURM_JWT=")
    notes = run_import(source="slurmrestd", start=start, end=end).notes
    alone = set(Job.objects.values_list("username", flat=True)) == {user} and everybody > 1
    assert any(f"sacctmgr modify user {user} set adminlevel=operator" in note for note in notes) == alone


def test_a_cluster_that_slurm_does_not_know_gives_nothing_and_a_word() -> None:
    start, end = window()
    for source in ("slurmrestd", "sacct"):
        result = run_import(source=source, start=start, end=end, cluster="nowhere")
        assert (result.rows_read, result.notes[0]) == (0, f"{source} found no jobs at all in this window.")
