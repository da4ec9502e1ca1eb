"""invoices: a month's run over N organisations with 20 lines each, against COPY of the same documents."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import billing_world, world
from bench.measure import Outcome, in_turn, pairs, rows, timed

LINES = billing_world.METRICS + 1


def run() -> Outcome:
    most = rows(10_000)
    sizes = sorted({max(1, most // 4), most})
    found = {size: _of(size) for size in sizes}
    slices = {each["statements_a_slice"] for each in found.values()}
    growth = found[sizes[-1]]["seconds"] / found[sizes[0]]["seconds"]
    even = sizes[-1] / sizes[0]
    return Outcome(
        name="invoices",
        ratio=found[most]["ratio"],
        goal=1.0,
        higher_is_better=True,
        limit="COPY of the same invoices, lines and taxes into the same tables with the same indexes",
        figures={
            "rows": most,
            "lines_each": LINES,
            "by_organisations": {str(size): each for size, each in found.items()},
            "growth": round(growth, 2),
            "growth_of_organisations": even,
            "durable": world.is_durable(),
        },
        also=world.is_durable() and len(slices) == 1 and growth <= 1.3 * even,
    )


def _of(number: int) -> dict[str, Any]:
    billing_world.fill(number)
    with TemporaryDirectory() as name:
        folder = Path(name)
        statements = _statements()
        made = billing_world.counted()
        assert made[:2] == (number, number * LINES), made
        billing_world.save(folder)

        def ours() -> float:
            billing_world.let_go()
            seconds = timed(_run)
            assert billing_world.counted() == made
            return seconds

        def limit() -> float:
            billing_world.let_go()
            return timed(lambda: billing_world.load(folder))

        taken = in_turn(ours, limit, pairs(3))
    lines = number * LINES
    return {
        "ratio": round(taken.ratio(lambda ours, limit: limit / ours), 3),
        "seconds": sorted(taken.ours)[len(taken.ours) // 2],
        "statements_a_slice": statements,
        **taken.figures("run", "copy", lines),
    }


def _run() -> None:
    from billing.services.invoices.runs import run_invoices
    from core.context import SYSTEM

    done = run_invoices(actor=SYSTEM, month=billing_world.MONTH)
    assert done.is_clean, done.failed


def _statements() -> int:
    """Of one slice in the middle of the run: what is asked once a run does not count."""
    from django.db import connection

    from billing.services.invoices import runs

    counts: list[int] = []
    number = 0

    def count(execute: Any, *rest: Any) -> Any:
        nonlocal number
        number += 1
        return execute(*rest)

    def note(done: int, _all: int) -> None:
        nonlocal number
        counts.append(number)
        number = 0

    from core.context import SYSTEM

    with connection.execute_wrapper(count):
        runs.run_invoices(actor=SYSTEM, month=billing_world.MONTH, on_progress=note)
    return max(counts[1:] or [counts[0] - 1])  # the first also asks which organisations there are
