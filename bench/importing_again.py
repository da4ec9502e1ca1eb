"""reimport: a file that is stored already, against its first import."""

from __future__ import annotations

from bench import generate, world
from bench.measure import Outcome, in_turn, rows, timed


def run() -> Outcome:
    number = rows(1_000_000)
    file = generate.file_of(number)

    def first() -> float:
        seconds, result = world.import_into_empty(file)
        assert result.imported == number, result
        return seconds

    def again() -> float:
        before, stamps = world.content(), _stamps()
        results = []
        seconds = timed(lambda: results.append(world.import_file(file)))
        (result,) = results
        assert (result.imported, result.updated, result.duplicate) == (0, 0, result.rows_read), result
        assert (world.content(), _stamps()) == (before, stamps), "no row may change"
        return seconds

    found = in_turn(first, again)
    return Outcome(
        name="reimport",
        ratio=found.ratio(lambda first, again: again / first),
        goal=1.0,
        higher_is_better=False,
        limit="the first import of the same file",
        figures=found.figures("first", "again", number) | {"rows_changed": 0, "durable": world.is_durable()},
        also=world.is_durable(),
    )


def _stamps() -> tuple[object, ...]:
    """Which transactions wrote the rows: a row that is written again, even with the same values, gets a new one."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT SUM(xmin::text::bigint), MAX(updated_at) FROM jobs")
        return tuple(cursor.fetchone())
