"""``python -m bench.child import FILE`` or ``pdf JOBS``: one import, or one long document, in a process of its own.

Prints seconds and peak memory as JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

from bench import pdf, world
from bench.measure import timed


def peak_mib() -> float:
    """Of this process alone: what a parent held before it was started does not count."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main() -> int:
    what, path = sys.argv[1:]
    world.set_up(os.environ["DATABASE_URL"])
    if what == "pdf":
        print(json.dumps({**pdf.long_document(int(path)), "peak_mib": round(peak_mib(), 1)}))
        return 0
    seconds = timed(lambda: world.import_file(Path(path)))
    cpu = round(time.process_time(), 3)
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mib": round(peak_mib(), 1)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
