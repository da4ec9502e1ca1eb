"""growth: five times the rows take five times as long and no more memory. Each import in a fresh process."""

from __future__ import annotations

import statistics
from typing import Any

from bench import generate, world
from bench.measure import Outcome, pairs, rows

TIMES = 5
MOST_MIB = 600


def run() -> Outcome:
    number = rows(1_000_000)
    small, large = generate.file_of(number), generate.file_of(number * TIMES)
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for _ in range(pairs(1)):
        world.empty()
        one = world.child("import", str(small))
        assert world.content()[0] == number
        world.empty()
        found.append((one, world.child("import", str(large))))
        assert world.content()[0] == number * TIMES
    seconds = statistics.median(five["seconds"] / one["seconds"] for one, five in found)
    memory = statistics.median(five["peak_mib"] / one["peak_mib"] for one, five in found)
    most = max(five["peak_mib"] for _one, five in found)
    return Outcome(
        name="growth",
        ratio=memory,
        goal=1.3,
        higher_is_better=False,
        limit=f"peak memory of importing a file {TIMES} times smaller",
        figures={
            "rows": [number, number * TIMES],
            "seconds": [[round(one["seconds"], 3), round(five["seconds"], 3)] for one, five in found],
            "cpu_seconds": [[one["cpu_seconds"], five["cpu_seconds"]] for one, five in found],
            "peak_mib": [[one["peak_mib"], five["peak_mib"]] for one, five in found],
            "time_ratio": round(seconds, 3),
            "durable": world.is_durable(),
        },
        also=3.5 <= seconds <= 7 and most <= MOST_MIB and world.is_durable(),
    )
