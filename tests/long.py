"""``python -m tests.long REPORT...``: write ``tests/long.txt`` anew from reports of whole runs on a machine that was idle.

``python -m tests --db sqlite --junitxml=sqlite.xml`` makes one, ``--db postgres`` the other; the first test of each worker
pays for its database and is taken out by hand. A line is a test's function,
or a file whose tests share what takes long to make; the latter are written by hand and stay.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "tests" / "long.txt"
SECONDS = 1.0
HEAD = "# Tests that take longer than a second; python -m tests.long writes this. In make test each has a day of the week.\n"


def listed() -> frozenset[str]:
    return frozenset(line for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))


def measured(reports: list[Path]) -> dict[str, float]:
    """Seconds of the slowest case of each function, with what was made for it."""
    found: dict[str, float] = defaultdict(float)
    for report in reports:
        for case in ET.parse(report).iter("testcase"):
            name = str(case.get("name")).partition("[")[0]
            key = f"{_file_of(str(case.get('classname')))}::{name}"
            found[key] = max(found[key], float(str(case.get("time"))))
    return found


def _file_of(dotted: str) -> str:
    """``tests.billing.test_x.TestY`` is ``tests/billing/test_x.py::TestY``."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        path = "/".join(parts[:end]) + ".py"
        if (ROOT / path).is_file():
            return "::".join([path, *parts[end:]])
    raise ValueError(f"{dotted} is no file of the tests; are these reports of this tree?")


def main() -> int:
    files = sorted(line for line in listed() if "::" not in line)
    long = {name for name, seconds in measured([Path(name) for name in sys.argv[1:]]).items() if seconds >= SECONDS}
    rows = [*files, *(name for name in sorted(long) if name.partition("::")[0] not in files)]
    FILE.write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    print(f"{FILE.relative_to(ROOT)}: {len(rows)} lines")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
