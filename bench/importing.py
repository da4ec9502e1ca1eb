"""import: a file into PostgreSQL by the program, against COPY of the finished rows into the same table."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench import generate, world
from bench.measure import Outcome, in_turn, rows


def run() -> Outcome:
    number = rows(1_000_000)
    file = generate.file_of(number)
    with tempfile.TemporaryDirectory(prefix="bench-rows-") as folder:
        finished = Path(folder) / "jobs.copy"
        world.import_into_empty(file)
        wanted = world.content()
        world.save_finished_rows(finished)

        def ours() -> float:
            seconds, result = world.import_into_empty(file)
            assert (result.imported, result.quarantined) == (number, 0), result
            assert world.content() == wanted
            return seconds

        def copy() -> float:
            seconds = world.copy_finished_rows(finished)
            assert world.content() == wanted
            return seconds

        found = in_turn(ours, copy)
    return Outcome(
        name="import",
        ratio=found.ratio(lambda ours, copy: copy / ours),
        goal=0.5,
        higher_is_better=True,
        limit="COPY of the same finished rows into the same table with the same indexes",
        figures=found.figures("import", "copy", number)
        | {"durable": world.is_durable(), "file_bytes": file.stat().st_size},
        also=world.is_durable(),
    )
