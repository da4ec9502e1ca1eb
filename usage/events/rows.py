"""An event as it is stored, and what became of it. No Django here."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import msgspec

HASH_BYTES = 16


class EventRow(NamedTuple):
    """Columns of ``usage_events`` in the order in which stores write them; ``zone`` is the organisation's."""

    id: UUID
    organisation_id: int
    project_id: int
    subscription_id: int | None
    api_key_id: UUID | None
    metric_name: str
    metric_value: Decimal
    unit: str
    timestamp: datetime
    idempotency_key: str
    payload_hash: bytes
    metadata: str  # JSON text
    model_id: str
    request_tokens: int | None
    response_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    latency_ms: int | None
    status_code: int | None
    is_late: bool
    zone: str


class Point(NamedTuple):
    """What a derived meter reads of the event at this place of the batch: a number, or the hash of a value to count."""

    place: int
    meter_id: int
    value: Decimal
    distinct: bytes | None = None


ACCEPTED = "accepted"
DUPLICATE = "duplicate"
CONFLICT = "conflict"
REJECTED = "rejected"


@dataclass(slots=True)
class Batch:
    """Rows to store with the points of their meters. No two rows have the same project and idempotency key."""

    rows: list[EventRow]
    points: list[Point] = field(default_factory=list)


def new_ids(count: int) -> list[UUID]:
    """UUIDs of version 7 (RFC 9562): those made later sort later, so that they fill an index from its end."""
    noise = os.urandom(10 * count)
    moment = time.time_ns() // 1_000_000 << 80
    return [_uuid7(moment, int.from_bytes(noise[10 * n : 10 * n + 10], "big")) for n in range(count)]


def _uuid7(moment: int, noise: int) -> UUID:
    low = noise & ((1 << 62) - 1)
    middle = noise >> 62 & 0xFFF
    return UUID(int=moment | 0x7 << 76 | middle << 64 | 0b10 << 62 | low)


_encode = msgspec.json.Encoder(decimal_format="string").encode


def digest(*parts: object) -> bytes:
    """What tells a repeat from another event under the same key."""
    return hashlib.sha256(_encode(parts)).digest()[:HASH_BYTES]


def at_path(metadata: Mapping[str, object], path: str) -> object:
    """What stands at ``a.b.c`` (a number names a place in a list); None when nothing does."""
    found: object = metadata
    for name in path.split("."):
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


_NUMBER = re.compile(r"[0-9]{1,21}([.][0-9]{1,9})?")


def text_of(value: object) -> str | None:
    """A text, number or truth value as PostgreSQL writes it from JSON; None for what is neither."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{abs(value) if value == 0 else value:f}"
    return str(value) if isinstance(value, str | int) else None


def number_of(value: object) -> Decimal | None:
    """A number, or decimal text, that a meter can add up: not negative, 21 digits before the point, 9 behind it."""
    text = None if isinstance(value, bool) else text_of(value)
    return Decimal(text) if text is not None and _NUMBER.fullmatch(text) else None


def hash_of(text: str) -> bytes:
    """What a ``unique`` meter keeps of a value."""
    return hashlib.sha256(text.encode()).digest()[:HASH_BYTES]
