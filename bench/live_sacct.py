"""sacct: a whole import from a running Slurm, against the time sacct itself takes to print the same records."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime

from bench import world
from bench.measure import Outcome, Skipped, in_turn, timed

START = datetime(2000, 1, 1, tzinfo=UTC)


def run() -> Outcome:
    if not (os.environ.get("SLURM_CONF") and shutil.which("sacct")):
        raise Skipped("there is no running Slurm here (SLURM_CONF is not set, or sacct is not on PATH)")
    from core.context import SYSTEM
    from usage.services.imports import import_usage
    from usage.sources.sacct import FIELDS

    start, end = _window()

    def ours() -> float:
        world.empty()
        return timed(lambda: import_usage(actor=SYSTEM, source="sacct", start=start, end=end))

    def sacct_alone() -> float:
        return timed(lambda: _sacct(start, end, ",".join(FIELDS)))

    found = in_turn(ours, sacct_alone)
    number = world.content()[0]
    return Outcome(
        name="sacct",
        ratio=found.ratio(lambda ours, alone: ours / alone),
        goal=3.0,
        higher_is_better=False,
        limit="sacct printing the same records, nobody reading them",
        figures=found.figures("import", "sacct", number) | {"durable": world.is_durable()},
        also=number > 0 and world.is_durable(),
    )


def _window() -> tuple[datetime, datetime]:
    """From the first to the last end that Slurm knows."""
    text = _sacct(START, datetime.now(UTC), "End")
    ends = [int(word) for word in text.split() if word.isdigit()]
    if not ends:
        raise Skipped("this Slurm has no job that has ended")
    return datetime.fromtimestamp(min(ends), UTC), datetime.fromtimestamp(max(ends) + 1, UTC)


def _sacct(start: datetime, end: datetime, fields: str) -> str:
    command = ["sacct", "-a", "-X", "-D", "-P", "-S", f"{start:%FT%T}", "-E", f"{end:%FT%T}", "-o", fields]
    environment = {**os.environ, "TZ": "UTC", "SLURM_TIME_FORMAT": "%s"}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
