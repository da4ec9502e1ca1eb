"""``python -m tests.faults [F1 …] [--db …] [pytest arguments]``: the faults of docs/faults.md at their full counts."""

from __future__ import annotations

import argparse
import os
import random
import re
import sys

from tests.__main__ import run
from tests.faults.matrix import MATRIX
from tests.postgres import server


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=("sqlite", "postgres", "both"), default="both")
    options, rest = parser.parse_known_args()
    wanted = {each for each in rest if re.fullmatch(r"F\d+", each)}
    chosen = [fault for fault in MATRIX if not wanted or f"F{fault.number}" in wanted]
    unknown = wanted - {f"F{fault.number}" for fault in chosen}
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    os.environ.setdefault("FAULTS", "full")
    os.environ.setdefault("SEED", str(random.SystemRandom().randrange(10**6)))
    for older in ("KILL_SEED", "FUZZ_SEED"):
        os.environ.setdefault(older, os.environ["SEED"])
    for fault in chosen:
        for name, value in fault.variables.items():
            os.environ.setdefault(name, value)
    tests = sorted({test for fault in chosen for test in fault.tests})
    print(f"SEED={os.environ['SEED']}", flush=True)  # noqa: T201
    arguments = [*(each for each in rest if each not in wanted), *tests]
    status = 0
    if options.db in ("sqlite", "both"):
        status = run("SQLite", None, ["-m", "not postgres", *arguments])
    if options.db in ("postgres", "both"):
        with server() as url:
            status = run("PostgreSQL", url, arguments) or status
    return status


if __name__ == "__main__":
    sys.exit(main())
