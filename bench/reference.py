"""The plain way to read the generated text: csv.reader, one row after another, integers in Python.

It makes every column that the program makes of a row (times, amounts, products, key) and
nothing else: no checks, no refusals. That makes it a limit that is kind to plain Python.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple


class Totals(NamedTuple):
    """By which the two ways are compared."""

    rows: int
    cpu_core_seconds: int
    gpu_seconds: int
    mem_mib_seconds: int
    used_cpu_seconds: int
    submit_at: int
    start_at: int
    end_at: int
    req_mem_mib: int


_MIB = {"M": 1, "G": 1024, "T": 1024 * 1024}


def totals(path: Path) -> Totals:
    sums = [0] * len(Totals._fields)
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.reader(handle, delimiter="|", quoting=csv.QUOTE_NONE)
        at = {name: place for place, name in enumerate(next(reader))}
        for cells in reader:
            row = _row(cells, at)
            sums[0] += 1
            for place, name in enumerate(Totals._fields[1:], start=1):
                sums[place] += row[name] or 0
    return Totals(*sums)


def _row(cells: list[str], at: dict[str, int]) -> dict[str, object]:
    raw_id, shown, cluster = cells[at["JobIDRaw"]], cells[at["JobID"]], cells[at["Cluster"]]
    base, _, task = shown.partition("_")
    submit, start, end = (_epoch(cells[at[name]]) for name in ("Submit", "Start", "End"))
    elapsed = int(cells[at["ElapsedRaw"]])
    cpus, gpus, mem, nodes, types = _tres(cells[at["AllocTRES"]])
    req_cpus, req_gpus, req_mem, _nodes, _types = _tres(cells[at["ReqTRES"]])
    return {
        "job_key": f"{cluster}:{raw_id}:{submit}",
        "cluster": cluster,
        "job_id": int(raw_id),
        "job_id_display": shown,
        "array_job_id": int(base) if task else None,
        "array_task_id": int(task) if task else None,
        "username": cells[at["User"]],
        "account": cells[at["Account"]],
        "partition": cells[at["Partition"]],
        "qos": cells[at["QOS"]],
        "job_name": cells[at["JobName"]],
        "state": cells[at["State"]].split(" ", 1)[0],
        "exit_code": cells[at["ExitCode"]],
        "submit_at": submit,
        "start_at": start,
        "end_at": end,
        "elapsed_seconds": elapsed,
        "cpus": cpus,
        "gpus": gpus,
        "gpu_types": types,
        "mem_mib": mem,
        "nodes": nodes,
        "req_cpus": req_cpus,
        "req_gpus": req_gpus,
        "req_mem_mib": req_mem,
        "used_cpu_seconds": _seconds(cells[at["TotalCPU"]]),
        "cpu_core_seconds": cpus * elapsed,
        "gpu_seconds": gpus * elapsed,
        "mem_mib_seconds": mem * elapsed,
        "raw": "|".join(cells),
    }


def _epoch(text: str) -> int | None:
    if text in ("None", "Unknown", ""):
        return None
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def _seconds(text: str) -> int:
    days, _, clock = text.rpartition("-")
    hours, minutes, seconds = clock.split(":")
    return int(days or 0) * 86_400 + int(hours) * 3600 + int(minutes) * 60 + int(seconds)


def _tres(text: str) -> tuple[int, int, int, int, dict[str, int]]:
    cpus = gpus = typed = mem = nodes = 0
    types: dict[str, int] = {}
    for part in text.split(",") if text else ():
        name, _, value = part.partition("=")
        if name == "cpu":
            cpus = int(value)
        elif name == "mem":
            mem = int(value[:-1]) * _MIB[value[-1]]
        elif name == "node":
            nodes = int(value)
        elif name == "gres/gpu":
            gpus = int(value)
        elif name.startswith("gres/gpu:"):
            types[name[9:]] = int(value)
            typed += int(value)
    return cpus, gpus or typed, mem, nodes, types
