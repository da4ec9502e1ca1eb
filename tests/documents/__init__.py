"""``python -m tests.documents [--update]``: the pages of ``docs/reference`` are written from the code, never by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.documents import commands, states, tables

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
WRITERS: tuple[Callable[[], dict[str, str]], ...] = (tables.pages, states.pages, commands.pages)


def written() -> dict[Path, str]:
    """What the pages should hold, by path."""
    return {FOLDER / name: text for writer in WRITERS for name, text in writer().items()}


def stale() -> list[Path]:
    """Pages that do not say what the code says, and those that nothing writes any more."""
    wanted = written()
    wrong = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    return wrong + [path for path in sorted(FOLDER.rglob("*.*")) if path not in wanted]


def update() -> int:
    changed = stale()
    for path in changed:
        path.unlink(missing_ok=True)
    for path, text in written().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return len(changed)
