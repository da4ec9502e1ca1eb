"""Data frames for analysts, in the uniform columns of every source. pandas is imported on use only."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from usage.models.jobs import Job, JobQuerySet

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 20_000
COLUMNS = (
    "User", "JobID", "Elapsed", "TotalCPU", "ReqTRES", "End", "State", "Account", "Cluster",
    "CPUCoreSeconds", "GPUSeconds", "MemMiBSeconds",
)  # fmt: skip


def jobs_frame(queryset: JobQuerySet) -> pd.DataFrame:
    """One row a job, in Arrow memory, read in bounded chunks. ``Elapsed`` and ``TotalCPU`` as ``D-HH:MM:SS``
    (TotalCPU empty where not known), ``End`` in UTC (null while it runs), the products as integers in seconds
    and MiB-seconds.
    """
    import pandas as pd
    import pyarrow as pa

    whole = dict.fromkeys(("CPUCoreSeconds", "GPUSeconds", "MemMiBSeconds"), pa.int64())
    types = whole | {"End": pa.timestamp("us", tz="UTC")}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    jobs = queryset.defer("raw").iterator(chunk_size=CHUNK)
    chunks = []
    while rows := [_row(job) for job in islice(jobs, CHUNK)]:
        cells = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)]
        chunks.append(pa.table(cells, schema=schema))
    return pa.concat_tables(chunks or [schema.empty_table()]).to_pandas(types_mapper=pd.ArrowDtype)


def _row(job: Job) -> tuple[Any, ...]:
    return (
        job.username, job.job_id_display, hms(job.elapsed_seconds),
        "" if job.used_cpu_seconds is None else hms(job.used_cpu_seconds),
        _tres(job), job.end_at, job.state, job.account, job.cluster,
        job.cpu_core_seconds, job.gpu_seconds, job.mem_mib_seconds,
    )  # fmt: skip


def hms(seconds: int) -> str:
    """93784 -> 1-02:03:04, as Slurm writes it."""
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}-{clock}" if days else clock


def _tres(job: Job) -> str:
    """What is billed, in the notation of ReqTRES."""
    types = job.gpu_types if isinstance(job.gpu_types, dict) else json.loads(job.gpu_types)
    parts = [f"cpu={job.cpus}"]
    parts += [f"gres/gpu:{name}={count}" for name, count in sorted(types.items())]
    parts += [f"gres/gpu={job.gpus}"] if job.gpus else []
    return ",".join([*parts, f"mem={job.mem_mib}M", f"node={job.nodes}"])
