"""Two sides taken in turn, and the one line that says how they compare."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a benchmark found. ``ratio`` is to be at least ``goal`` (or at most, where lower is better); ``limit`` names
    the other side. ``ok`` also holds what else must be true, such as a bound on memory."""

    name: str
    ratio: float
    goal: float
    higher_is_better: bool
    limit: str
    figures: dict[str, Any] = field(default_factory=dict)
    also: bool = True

    def line(self) -> str:
        kept = self.ratio >= self.goal if self.higher_is_better else self.ratio <= self.goal
        found = asdict(self) | {"ratio": round(self.ratio, 3), "ok": kept and self.also}
        names = ("name", "ratio", "goal", "higher_is_better", "ok", "limit", "figures")
        return json.dumps({name: found[name] for name in names}, ensure_ascii=False)

    @property
    def ok(self) -> bool:
        return bool(json.loads(self.line())["ok"])


class Skipped(Exception):
    """What this benchmark needs is not here; the message says what."""


def rows(default: int) -> int:
    return int(os.environ.get("BENCH_ROWS", default))


def pairs(default: int = 5) -> int:
    return int(os.environ.get("BENCH_PAIRS", default))


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Pairs:
    """Seconds of either side, taken A B A B: whatever else the machine does meets both."""

    ours: list[float]
    limit: list[float]

    def ratio(self, part: Callable[[float, float], float]) -> float:
        """The median of ``part(ours, limit)`` over the pairs."""
        return statistics.median(part(a, b) for a, b in zip(self.ours, self.limit, strict=True))

    def figures(self, ours: str, limit: str, number: int) -> dict[str, Any]:
        return {
            "rows": number,
            "pairs": len(self.ours),
            f"{ours}_seconds": [round(each, 3) for each in self.ours],
            f"{limit}_seconds": [round(each, 3) for each in self.limit],
            f"{ours}_rows_per_second": round(number / statistics.median(self.ours)),
            f"{limit}_rows_per_second": round(number / statistics.median(self.limit)),
        }


def in_turn(ours: Callable[[], float], limit: Callable[[], float], number: int | None = None) -> Pairs:
    """Each side times itself: what it prepares beforehand does not count."""
    found = Pairs([], [])
    for _ in range(number or pairs()):
        found.ours.append(ours())
        found.limit.append(limit())
    return found
