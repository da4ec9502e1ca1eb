"""Progress of a long command: one line on a terminal, nothing where nobody looks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Show(Protocol):
    """Told how many rows are done so far, what is being read, and its share of the whole (None: unknown)."""

    def __call__(self, rows: int, where: str = "", done: float | None = None) -> None: ...


def _silent(rows: int, where: str = "", done: float | None = None) -> None:
    """For cron, pipes and log files."""


@contextmanager
def shown(unit: str) -> Iterator[Show]:
    """Rows, rows a second, where, and the time left, on standard error; only when that is a terminal.

    Standard output stays free for the result, so ``--format json`` may be piped on.
    The line is wiped at the end: what counts is in the result.
    """
    if not sys.stderr.isatty():
        yield _silent
        return
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no thread beside the work
    with tqdm(unit=f" {unit}", unit_scale=True, leave=False, mininterval=0.2, **_size()) as bar:
        yield _Line(bar)


def _size() -> dict[str, Any]:
    """As wide as the terminal; some (a serial line, a remote console) do not say how wide they are."""
    return {"dynamic_ncols": True} if os.get_terminal_size(sys.stderr.fileno()).columns else {"ncols": 80, "nrows": 24}


class _Line:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def __call__(self, rows: int, where: str = "", done: float | None = None) -> None:
        # The number of rows is not known before they are read: it follows from the share that is done.
        self._bar.total = max(rows, round(rows / done)) if done else None
        self._bar.set_postfix_str(where, refresh=False)
        self._bar.update(rows - self._bar.n)
