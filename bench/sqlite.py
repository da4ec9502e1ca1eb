"""sqlite: a file into SQLite by the program, against executemany of the finished rows into the same table."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from bench import generate, world
from bench.measure import Outcome, in_turn, rows, timed

CHUNK = 50_000


def run() -> Outcome:
    number = rows(200_000)
    file = generate.file_of(number)
    with tempfile.TemporaryDirectory(prefix="bench-sqlite-") as folder:
        path, limit = Path(folder) / "ours.sqlite3", Path(folder) / "limit.sqlite3"

        def ours() -> float:
            _forget(path)
            return float(world.child("import", str(file), DATABASE_URL=f"sqlite:///{path}")["seconds"])

        ours()
        _empty_copy(path, limit)
        finished = Path(folder) / "finished.sqlite3"
        path.rename(finished)
        wanted = _content(finished)

        def executemany() -> float:
            seconds = _insert(finished, limit)
            assert _content(limit) == wanted
            return seconds

        def checked() -> float:
            seconds = ours()
            assert _content(path) == wanted
            return seconds

        found = in_turn(checked, executemany)
    return Outcome(
        name="sqlite",
        ratio=found.ratio(lambda ours, limit: limit / ours),
        goal=0.5,
        higher_is_better=True,
        limit="executemany of the same finished rows into the same table with the same indexes",
        figures=found.figures("import", "executemany", number),
    )


def _forget(path: Path) -> None:
    for each in path.parent.glob(path.name + "*"):
        each.unlink()


def _empty_copy(path: Path, copy: Path) -> None:
    # By pages: VACUUM INTO would look at the constraints, which call functions of Django's.
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    with sqlite3.connect(copy) as target:
        target.execute("PRAGMA journal_mode=WAL")
        target.execute("DELETE FROM jobs")


def _insert(finished: Path, limit: Path) -> float:
    """Only the inserting is timed, in one transaction with the settings the program has."""
    source, target = sqlite3.connect(finished), sqlite3.connect(limit, isolation_level=None)
    target.execute("PRAGMA synchronous=NORMAL")
    target.execute("DELETE FROM jobs")
    rows_of = source.execute("SELECT * FROM jobs ORDER BY id")
    statement = f"INSERT INTO jobs VALUES ({', '.join('?' * len(rows_of.description))})"
    seconds = 0.0
    target.execute("BEGIN IMMEDIATE")
    while chunk := rows_of.fetchmany(CHUNK):
        seconds += timed(lambda: target.executemany(statement, chunk))
    seconds += timed(lambda: target.execute("COMMIT"))
    source.close()
    target.close()
    return seconds


def _content(path: Path) -> tuple[int, ...]:
    with sqlite3.connect(path) as own:
        return tuple(
            own.execute(
                "SELECT COUNT(*), SUM(cpu_core_seconds), SUM(gpu_seconds), SUM(mem_mib_seconds) FROM jobs"
            ).fetchone()
        )
