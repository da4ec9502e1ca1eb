"""Canonical form of an audit row and the chain step. Pure, so that an auditor can check a log without us.

hash = SHA-256 of: previous hash (64 hex characters), a newline, the canonical row.
The canonical row is JSON with sorted keys, no spaces, UTF-8, of the fields in
``FIELDS``; ``ts`` is UTC with microseconds. The first row's previous hash is 64 zeros.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

GENESIS = "0" * 64
FIELDS = (
    "id", "ts", "actor", "action", "target", "status", "extra",
    "ip", "user_agent", "request_id", "entity_type", "entity_id", "changes",
)  # fmt: skip


def plain(value: object) -> Any:
    """JSON value that reads back the same from any database: text, int, bool, None, list, dict.

    Decimals, dates and floats become text (a database may reformat them), NUL is dropped.
    """
    if type(value) is str and value.isascii() and "\0" not in value:  # most of what is asked
        return value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(plain(str(key))): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return _text(value)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value).replace("\0", "").encode("utf-8", "replace").decode()


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(row: Mapping[str, object]) -> str:
    """The exact text that is hashed."""
    fields = {name: plain(row[name]) for name in FIELDS}
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def chain_hash(prev_hash: str, row: Mapping[str, object]) -> str:
    return hashlib.sha256(f"{prev_hash}\n{canonical(row)}".encode()).hexdigest()
