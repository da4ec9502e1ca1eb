"""``python -m bench [NAME ...]``: every benchmark, or those named; one line of JSON each on standard output.

Exit: 0 all goals met, 1 one was missed, 2 a name is not known. What is left out is named on standard error.
"""

from __future__ import annotations

import sys
from importlib import import_module

from bench import server, world
from bench.measure import Skipped

BENCHMARKS = {
    "parse": "bench.parsing",
    "import": "bench.importing",
    "reimport": "bench.importing_again",
    "growth": "bench.growth",
    "sqlite": "bench.sqlite",
    "joblist": "bench.joblist",
    "receipts": "bench.receipts",
    "unbilled": "bench.unbilled",
    "pages": "bench.pages",
    "pdf": "bench.pdf",
    "webhooks": "bench.webhooks",
    "mix": "bench.mix",
    "event": "bench.event",
    "events": "bench.events",
    "hot": "bench.hot",
    "aggregates": "bench.aggregates",
    "quota": "bench.quota",
    "invoices": "bench.invoices",
    "finalize": "bench.finalize",
    "chain_wait": "bench.chain_wait",
    "explain_line": "bench.explain_line",
    "sacct": "bench.live_sacct",
}


def main(names: list[str]) -> int:
    if {"-h", "--help"} & set(names):
        print(f"{__doc__}\nThere are: {', '.join(BENCHMARKS)}.")
        return 0
    if unknown := [name for name in names if name not in BENCHMARKS]:
        print(f"No such benchmark: {', '.join(unknown)}. There are: {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    missed = False
    with server.database() as url:
        world.set_up(url)
        for name in names or BENCHMARKS:
            try:
                outcome = import_module(BENCHMARKS[name]).run()
            except Skipped as why:
                print(f"{name} left out: {why}", file=sys.stderr)
                continue
            print(outcome.line(), flush=True)
            missed = missed or not outcome.ok
        from django.db import connections

        connections.close_all()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
