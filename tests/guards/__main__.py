"""``python -m tests.guards [NAME …]``: take every guard away in turn; 1 when nobody misses one.

First the named tests must pass as the code stands, on the database where each guard shows.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Sequence

from tests.guards.guards import GUARDS
from tests.guards.taking import FAILED, PASSED, Copy, Guard, copy_of_the_tree, faults_of
from tests.postgres import server

Address = Callable[[], str | None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these guards")
    parser.add_argument("--db", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--list", action="store_true", help="their names, and nothing else")
    options = parser.parse_args()
    unknown = set(options.names) - {guard.name for guard in GUARDS}
    if unknown:
        parser.error(f"no such guard: {', '.join(sorted(unknown))}")
    chosen = [guard for guard in GUARDS if not options.names or guard.name in options.names]
    chosen = [guard for guard in chosen if options.db in ("both", guard.database)]
    if options.list:
        _say("\n".join(f"{guard.name}\t{guard.database}\t{guard.file}" for guard in chosen))
        return 0
    broken = [f"{guard.name}: {fault}" for guard in chosen for fault in faults_of(guard)]
    if broken:
        _say("\n".join(broken))
        return 1
    with copy_of_the_tree() as copy:
        return _take_all(copy, chosen)


def _take_all(copy: Copy, chosen: Sequence[Guard]) -> int:
    on_sqlite = [guard for guard in chosen if guard.database == "sqlite"]
    on_postgres = [guard for guard in chosen if guard.database == "postgres"]
    unnoticed = _take(copy, on_sqlite, lambda: None) if on_sqlite else 0
    if on_postgres:
        with server() as url:
            numbers = itertools.count(1)
            # a database of its own for each run: what the one before left is nobody's
            unnoticed += _take(copy, on_postgres, lambda: f"{url.rsplit('/', 1)[0]}/guard_{next(numbers)}")
    _say(f"{len(chosen)} guards, {unnoticed} of them can be taken away unnoticed")
    return 1 if unnoticed else 0


def _take(copy: Copy, guards: Sequence[Guard], address: Address) -> int:
    """How many can be taken away and no test fails."""
    tests = sorted({test for guard in guards for test in guard.tests})
    whole = copy.run(tests, address())
    if whole.code != PASSED:
        _say(f"The tests do not pass as the code stands:\n{whole.output}")
        return len(guards)
    return sum(not _is_missed(copy, guard, address) for guard in guards)


def _is_missed(copy: Copy, guard: Guard, address: Address) -> bool:
    began = time.monotonic()
    with copy.without(guard):
        outcome = copy.run(guard.tests, address())
    missed = outcome.code == FAILED
    word = "missed" if missed else "UNNOTICED" if outcome.code == PASSED else f"NOT RUN (exit {outcome.code})"
    _say(f"{word:10} {guard.name} ({guard.database}, {time.monotonic() - began:.0f} s)")
    if not missed and outcome.code != PASSED:
        _say(outcome.output)
    return missed


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
