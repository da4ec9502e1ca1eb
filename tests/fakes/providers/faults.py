"""What goes wrong on purpose: a plan of faults, each for the next matching requests."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

BEFORE = ("timeout_before", "reset_before", "500_before", "429", "503")
AFTER = ("timeout_after", "reset_after", "500_after", "html", "html_200", "truncated")
KINDS = (*BEFORE, *AFTER, "drip")


@dataclass
class Planned:
    """``times`` requests with this method, whose path begins with ``path``, meet ``kind``."""

    method: str
    path: str
    kind: str
    times: int


class Faults:
    """``*_before``, "429" and "503" do nothing but fail; all others execute the request first.

    "html" answers 502 with a page, "html_200" the same with status 200, "truncated" half the JSON under the full
    Content-Length, "drip" all of it, a byte at a time. ``hold``: how long a "timeout" stays silent, in seconds.
    """

    def __init__(self) -> None:
        self.hold = 20.0
        self._lock = Lock()
        self._planned: list[Planned] = []

    def plan(self, method: str, path: str, kind: str, times: int = 1) -> None:
        if kind not in KINDS:
            raise ValueError(f"no such fault: {kind}; there are {', '.join(KINDS)}")
        with self._lock:
            self._planned.append(Planned(method, path, kind, times))

    def take(self, method: str, path: str) -> str | None:
        """The fault of this request, counted down; None for a healthy one."""
        with self._lock:
            for planned in self._planned:
                if planned.method == method and path.startswith(planned.path):
                    planned.times -= 1
                    if planned.times <= 0:
                        self._planned.remove(planned)
                    return planned.kind
        return None

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()

    @property
    def planned(self) -> list[Planned]:
        with self._lock:
            return list(self._planned)
