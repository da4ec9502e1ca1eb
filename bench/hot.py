"""hot: eight writers at once to one project, against the same writers to a project each.

Batches of ten, straight into the store, each durable. Without slots every writer would wait for the rows of the sums
that the one before holds until its commit.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import metering
from bench.measure import Outcome, in_turn, rows

WRITERS = 8
SIZE = 10
GOAL = 0.5


def run() -> Outcome:
    number = rows(8000)
    projects = [metering.project(f"hot{writer}")[0] for writer in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(_write, projects, [1] * WRITERS))

        def side(owners: list[Any]) -> float:
            metering.empty()
            began = time.perf_counter()
            list(pool.map(_write, owners, [max(number // WRITERS // SIZE, 1)] * WRITERS))
            return time.perf_counter() - began

        found = in_turn(lambda: side([projects[0]] * WRITERS), lambda: side(projects))
        list(pool.map(_close, range(WRITERS)))
    return Outcome(
        name="hot",
        ratio=found.ratio(lambda a, b: b / a),
        goal=GOAL,
        higher_is_better=True,
        limit=f"{WRITERS} writers to a project each",
        figures={**found.figures("one", "spread", number), "writers": WRITERS, "batch": SIZE},
    )


def _write(project: Any, batches: int) -> None:
    from datetime import UTC, datetime

    from tests.usage.events import row
    from usage.events.rows import Batch
    from usage.events.store import open_store

    store, now = open_store(), datetime.now(UTC)
    for _each in range(batches):
        store.add(Batch([row(project, timestamp=now, metric_name=f"m{n % 3}") for n in range(SIZE)]))


def _close(_writer: int) -> None:
    from django.db import connection

    connection.close()
