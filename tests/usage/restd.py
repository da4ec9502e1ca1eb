"""Asking the test daemon for what was captured, and what of a job must be the same whichever source brought it."""

from __future__ import annotations

from typing import Any

from tests.usage.conftest import Daemon
from tests.usage.helpers import HIST, LIVE, oracle, read_json, run_import
from usage.models import Job

CAPTURE = "slurmdb-v0.0.38-jobs-skip_steps.json.gz"
FACTS = (
    "job_key", "job_id_display", "array_job_id", "array_task_id", "het_job_id", "het_offset", "username", "account",
    "partition", "qos", "state", "submit_at", "start_at", "end_at", "cpus", "gpus", "gpu_types", "mem_mib", "nodes",
    "billing_tres", "req_cpus", "req_gpus", "req_mem_mib", "cluster",
)  # fmt: skip


def facts(**which: Any) -> list[Any]:
    return list(Job.objects.filter(**which).order_by("job_key").values(*FACTS))


def ask(daemon: Daemon, capture: Any = LIVE, name: str = CAPTURE, **options: Any) -> Any:
    daemon.jobs = read_json(capture / name)["jobs"] if name else daemon.jobs
    start, end, _ = oracle(HIST if capture == HIST else LIVE)
    return run_import(source="slurmrestd", **{"start": start, "end": end, **options})
