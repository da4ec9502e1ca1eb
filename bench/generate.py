"""Accounting text as sacct -P prints it: the same rows for the same number, shaped like a real cluster's."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

HEADER = (
    "JobIDRaw|JobID|Cluster|User|Account|Partition|QOS|JobName|Submit|Start|End|ElapsedRaw|TotalCPU|ReqTRES|AllocTRES|"
    "NNodes|NCPUS|State|ExitCode|Timelimit"
)
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)  # all of it has ended
USERS, ACCOUNTS = 400, 60
SEED = 20250101
REPEATED = 100  # one line in so many comes twice
_STATES = ("COMPLETED",) * 80 + ("FAILED",) * 9 + ("TIMEOUT",) * 5 + ("CANCELLED",) * 5 + ("OUT_OF_MEMORY",)
_PARTITIONS = (("normal", "normal"), ("long", "normal"), ("debug", "high"), ("gpu", "gpu"))
_CORES = (1, 1, 1, 2, 4, 4, 8, 16, 32, 64, 128)


def file_of(number: int) -> Path:
    """The file with ``number`` distinct jobs, made once and kept beside other temporary files."""
    folder = Path(os.environ.get("BENCH_DIR") or Path(tempfile.gettempdir()) / "hpcbilling-bench")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"sacct-{SEED}-{number}.psv"
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}")
        with unfinished.open("w", encoding="ascii") as handle:
            handle.write(HEADER + "\n")
            handle.writelines(lines(number))
        unfinished.rename(path)
    return path


def lines(number: int) -> Iterator[str]:
    """Oldest submit first, job ids rising: the order in which slurmdbd gives them out. Repeats follow later."""
    pick = random.Random(SEED)
    step = timedelta(days=365) / max(number, 1)
    array, task = 0, 0
    for place in range(number):
        job = 100_000 + place
        if task:
            task -= 1
        elif pick.random() < 0.02:
            array, task = job, pick.randint(5, 60)
        shown = f"{array}_{task}" if task else str(job)
        line = _line(pick, job, shown, BEGIN + step * place)
        yield line
        if place % REPEATED == REPEATED - 1:
            yield line


def _line(pick: random.Random, job: int, shown: str, submit: datetime) -> str:
    user = min(int(pick.expovariate(0.02)), USERS - 1)  # few people run most jobs
    partition, qos = _PARTITIONS[min(int(pick.expovariate(1)), 3)]
    start = submit + timedelta(seconds=int(pick.expovariate(1 / 900)))
    state = pick.choice(_STATES)
    never_ran = state == "CANCELLED" and pick.random() < 0.4
    elapsed = 0 if never_ran else 1 + int(pick.lognormvariate(6.5, 1.8)) % 604_800
    cores = pick.choice(_CORES)
    memory = cores * pick.choice((1, 2, 4))
    nodes = (cores + 63) // 64
    amounts = f"billing={cores},cpu={cores}"
    if partition == "gpu":
        gpus = pick.choice((1, 1, 2, 4))
        amounts += f",gres/gpu:a100={gpus},gres/gpu={gpus}" if pick.random() < 0.7 else f",gres/gpu={gpus}"
    amounts += f",mem={memory}G,node={nodes}"
    cells = (
        job, shown, "cluster1", f"user{user:04}", f"acct{user % ACCOUNTS:03}", partition, qos, f"job-{job % 997}",
        _time(submit), "None" if never_ran else _time(start),
        _time(start + timedelta(seconds=elapsed)), elapsed, _duration(elapsed * cores * 9 // 10),
        amounts, "" if never_ran else amounts, nodes, cores,
        f"CANCELLED by {1000 + user}" if state == "CANCELLED" else state,
        "1:0" if state == "FAILED" else "0:0", "1-00:00:00",
    )  # fmt: skip
    return "|".join(map(str, cells)) + "\n"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}"


def _duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}-{clock}" if days else clock
