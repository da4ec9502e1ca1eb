"""``python -m tests [--db sqlite|postgres|both|pgbouncer] [pytest arguments]``: the suite on both databases."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from tests.pgbouncer import pooled
from tests.postgres import OWN_SERVER, server
from tests.second_run import AGAIN


def run(name: str, database_url: str | None, arguments: list[str], *, copies: bool = True, again: bool = False) -> int:
    """``again``: what asks no database has been tried already."""
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    if database_url:
        environment["DATABASE_URL"] = database_url
        if copies and "TEST_DATABASE_URL" not in environment:
            environment[OWN_SERVER] = "1"
    if again:
        environment[AGAIN] = "1"
    print(f"== {name} ==", flush=True)  # noqa: T201
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=("sqlite", "postgres", "both", "pgbouncer"), default="both")
    options, arguments = parser.parse_known_args()
    status = 0
    if options.db in ("sqlite", "both"):
        status = run("SQLite", None, ["-m", "not postgres and not cluster", *arguments])
    if options.db in ("postgres", "both"):
        with server() as url:
            status = run("PostgreSQL", url, arguments, again=options.db == "both") or status
    if options.db == "pgbouncer":
        with server() as url, pooled(url) as through:
            os.environ["DATABASE_POOLED"] = "1"
            status = run("PostgreSQL behind pgbouncer", through, ["--reuse-db", *arguments], copies=False)
    return status


if __name__ == "__main__":
    sys.exit(main())
