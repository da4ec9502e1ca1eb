"""The table of who gets what, read from the three text files beside this one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILES = ("pages", "api", "console")


@dataclass(frozen=True, slots=True)
class Line:
    """``expected``: by column, a status or ``login``."""

    method: str
    route: str
    expected: dict[str, str]


def lines(name: str) -> Iterator[Line]:
    text = (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8")
    head, *rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    columns = head[1:]
    for method, route, *cells in rows:
        assert len(cells) == len(columns), (
            f"{name}.txt: {method} {route} has {len(cells)} cells for {len(columns)} columns"
        )
        yield Line(method, "" if route == "/" else route, dict(zip(columns, cells, strict=True)))


def file_of(route: str) -> str:
    if route.startswith("admin/"):
        return "console"
    return "api" if route.startswith(("api/", "formula")) else "pages"
