"""The log as NDJSON for ``tools/verify_chain.py``: a row a line, its hashed fields with ``prev_hash`` and ``hash``.

A line is canonical JSON (sorted keys, no spaces, UTF-8): without the two hashes it is, byte for byte, the text that
was hashed.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet

from audit.hashing import FIELDS, plain
from audit.keys import compact
from audit.models import AuditLog

PAGE = 2000


def lines(entries: QuerySet[AuditLog]) -> Iterator[str]:
    """Each with its line feed, in the order of the chain; read a page at a time."""
    rows, after = entries.order_by("id").values(*FIELDS, "prev_hash", "hash"), None
    while page := list(rows.filter(id__gt=after)[:PAGE] if after is not None else rows[:PAGE]):
        for row in page:
            yield compact({name: plain(value) for name, value in row.items()}) + "\n"
        after = page[-1]["id"]
