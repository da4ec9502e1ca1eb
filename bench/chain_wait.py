"""chain_wait: how long whoever writes to the audit log (a sign-in, a payment) waits while a month is drafted and
finalized, against the time of one slice of that run, which is a transaction of its own."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import Any

from bench import billing_world, world
from bench.measure import Outcome, rows, timed

PAUSE = 0.02  # seconds between two entries of the other writer
LEAST = 10  # entries, however short the run is
PARTS = 2  # of a slice's time: nobody may wait for half of it


def run() -> Outcome:
    from billing.services.invoices.runs import SLICE, run_invoices
    from core.context import SYSTEM

    number = rows(4_000)
    billing_world.fill(number)
    alone = _waits(lambda: time.sleep(3))
    seconds = 0.0

    def work() -> None:
        nonlocal seconds
        seconds = timed(lambda: run_invoices(actor=SYSTEM, month=billing_world.MONTH, finalize=True))

    beside = _waits(work)
    a_slice = seconds / max(1, number / SLICE)
    return Outcome(
        name="chain_wait",
        ratio=a_slice / max(beside),
        goal=PARTS,
        higher_is_better=True,
        limit="the time of one slice of a thousand organisations, drafted and finalized",
        figures={
            "rows": number,
            "slice_seconds": round(a_slice, 2),
            "alone_ms": _in_ms(alone),
            "beside_ms": _in_ms(beside),
            "durable": world.is_durable(),
        },
        also=world.is_durable(),
    )


def _in_ms(waits: list[float]) -> dict[str, float]:
    tail = statistics.quantiles(waits, n=100, method="inclusive")
    found = {"entries": len(waits), "p50": statistics.median(waits), "p99": tail[98], "max": max(waits)}
    return {name: value if name == "entries" else round(value * 1000, 1) for name, value in found.items()}


def _waits(work: Any) -> list[float]:
    """Seconds of each entry that another process writes while ``work`` goes on."""
    command = [sys.executable, "-m", "bench.chain_wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "begins\n"
        work()
        said, _errors = other.communicate("\n", timeout=60)
    return [float(line) for line in said.split()]


def _write() -> None:
    """The other process: entries until somebody writes a line to it."""
    import select

    world.set_up(os.environ["DATABASE_URL"])
    from django.db import transaction

    from audit import services as audit
    from core.context import Actor

    actor, waits = Actor("bench"), []

    def entry() -> None:
        with transaction.atomic():
            audit.record(actor=actor, action="login_success", target="bench", extra={})

    entry()
    print("begins", flush=True)
    while len(waits) < LEAST or not select.select([sys.stdin], [], [], PAUSE)[0]:
        waits.append(timed(entry))
    print("\n".join(map(str, waits)))


if __name__ == "__main__":
    _write()
