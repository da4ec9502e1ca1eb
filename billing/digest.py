"""The hash that says whether a document is still what was issued. Pure.

A receipt's digest is SHA-256 over canonical JSON (sorted keys, no spaces, UTF-8) of what it
says, with the hash of its lines inside. A line is its job key, displayed job id, core, GPU and
GB hours (4 places) and cost (2 places), tab-separated; lines are joined by a line feed in the
order in which they were written. Anybody who holds the figures can compute it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

Line = tuple[str, str, Decimal, Decimal, Decimal, Decimal]


def line_text(line: Line) -> str:
    key, display, cpu, gpu, mem, cost = line
    return f"{key}\t{display}\t{cpu:.4f}\t{gpu:.4f}\t{mem:.4f}\t{cost:.2f}"


def lines_hash(lines: Iterable[Line]) -> str:
    """SHA-256 of all lines, read one at a time."""
    digest, first = hashlib.sha256(), True
    for line in lines:
        digest.update((line_text(line) if first else "\n" + line_text(line)).encode())
        first = False
    return digest.hexdigest()


def document_hash(content: Mapping[str, Any], lines: str) -> str:
    """``content`` holds text, lists and mappings only; ``lines`` is what ``lines_hash`` gave."""
    text = json.dumps({**content, "lines": lines}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
