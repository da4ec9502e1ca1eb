"""What the tests of this room share: captures, oracles, sums."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db.models import F, Sum

from core.context import SYSTEM
from usage.models import Job
from usage.services.imports import ImportResult, import_usage

DATA = Path(__file__).parent.parent / "data" / "slurm"
HIST, LIVE, SHAPES = DATA / "hist", DATA / "live", DATA / "shapes"
Sums = dict[tuple[str, str], tuple[int, int, int]]


def at(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def oracle(folder: Path) -> tuple[datetime, datetime, Sums]:
    """Window and core, GPU and MiB seconds per (user, account), worked out by SQL in slurmdbd's database."""
    found = json.loads((folder / "oracle.json").read_text())
    rows = found["ended_in_window"]["rows"]
    sums = {
        (row["user"], row["account"]): (row["cpu_seconds"], row["gpu_seconds"], row["mem_mib_seconds"]) for row in rows
    }
    return at(found["start"]), at(found["end"]), {key: value for key, value in sums.items() if any(value)}


def stored(start: datetime, end: datetime) -> Sums:
    """As Slurm counts: with the seconds that a resized job has on both of its records."""
    return _sums(start, end, overlap=1)


def counted(start: datetime, end: datetime) -> Sums:
    """As we bill: every second once."""
    return _sums(start, end, overlap=0)


def _sums(start: datetime, end: datetime, *, overlap: int) -> Sums:
    pairs = (("cpu_core_seconds", "cpus"), ("gpu_seconds", "gpus"), ("mem_mib_seconds", "mem_mib"))
    jobs = Job.objects.filter(end_at__gte=start, end_at__lt=end).order_by().values_list("username", "account")
    sums = {f"sum_{name}": Sum(F(name) + F(amount) * F("overlap_seconds") * overlap) for name, amount in pairs}
    rows = jobs.annotate(**sums)
    return {(user, account): sums for user, account, *rest in rows if any(sums := tuple(rest))}


def keys() -> set[str]:
    return set(Job.objects.values_list("job_key", flat=True))


def run_import(file: Path | str = "", **options: Any) -> ImportResult:
    """Import as the captures want it: UTC text; the counters must add up whatever happens."""
    options = {"timezone": "UTC", **options}
    if file:
        options = {"source": "csv", **options}
    result = import_usage(actor=SYSTEM, file=str(file), **options)
    verdicts = (result.imported, result.updated, result.duplicate, result.steps, result.pending, result.quarantined)
    assert sum(verdicts) == result.rows_read, result
    assert sum(result.by_reason.values()) == result.quarantined
    return result


HEADER = "JobIDRaw|JobID|Cluster|User|Account|Submit|Start|End|ElapsedRaw|TotalCPU|ReqTRES|AllocTRES|State"


def row(job: int = 1, **cells: Any) -> str:
    """One line under HEADER: alice, two CPUs, 1 GiB, 100 s from epoch 1790000000, unless told otherwise."""
    values = {
        "JobIDRaw": job, "JobID": job, "Cluster": "c1", "User": "alice", "Account": "physics", "Submit": 1789999000,
        "Start": 1790000000, "End": 1790000100, "ElapsedRaw": 100, "TotalCPU": "00:01:30", "ReqTRES": "cpu=1,mem=1G",
        "AllocTRES": "cpu=2,mem=1G,node=1", "State": "COMPLETED",
    } | cells  # fmt: skip
    return "|".join(str(values[name]) for name in HEADER.split("|"))


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def read_json(path: Path) -> dict[str, Any]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as handle:
        return json.load(handle)
