"""``python -m tests [--db turns|sqlite|postgres|both|pgbouncer] [pytest arguments]``: the suite, by ``tests.shares``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from datetime import UTC, datetime

from tests.pgbouncer import pooled
from tests.postgres import OWN_SERVER, server
from tests.shares import AGAIN, SHARE, TURN_OF_POSTGRES, TURN_OF_SQLITE


def run(name: str, database_url: str | None, arguments: list[str], *, copies: bool = True, share: str = "") -> int:
    """``share``: which tests of those that are asked for; empty: all.

    What a test starts shall not translate our thousand modules anew, whatever the machine says of that.
    """
    environment = {
        key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "PYTHONDONTWRITEBYTECODE")
    }
    if database_url:
        environment["DATABASE_URL"] = database_url
        if copies and "TEST_DATABASE_URL" not in environment:
            environment[OWN_SERVER] = "1"
    if share:
        environment[SHARE] = share
    print(f"== {name} ==", flush=True)  # noqa: T201
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=("turns", "sqlite", "postgres", "both", "pgbouncer"), default="both")
    options, arguments = parser.parse_known_args()
    status = 0
    turns = options.db == "turns"
    day = datetime.now(UTC).toordinal()  # the same for both, over midnight too
    if turns or options.db in ("sqlite", "both"):
        share = f"{TURN_OF_SQLITE} {day}" if turns else ""
        status = run("SQLite", None, ["-m", "not postgres and not cluster", *arguments], share=share)
    if turns or options.db in ("postgres", "both"):
        share = f"{TURN_OF_POSTGRES} {day}" if turns else AGAIN if options.db == "both" else ""
        with server() as url:
            status = run("PostgreSQL", url, arguments, share=share) or status
    if options.db == "pgbouncer":
        with server() as url, pooled(url) as through:
            os.environ["DATABASE_POOLED"] = "1"
            status = run("PostgreSQL behind pgbouncer", through, ["--reuse-db", *arguments], copies=False)
    return status


if __name__ == "__main__":
    sys.exit(main())
