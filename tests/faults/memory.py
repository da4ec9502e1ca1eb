"""How much memory something takes at its worst, native code included."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path


def growth(work: Callable[[], object]) -> float:
    """MB that this process grew by at the most while ``work`` ran (Linux)."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the highest so far
    before = _status("VmRSS")
    work()
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(name)
