"""Metered events for the benchmarks: bodies to send, and the same events as PostgreSQL writes them out."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

_numbers = itertools.count()
METRICS = ("api.call", "storage.read", "storage.write", "cpu.seconds", "mail.sent")


def project(name: str) -> tuple[Any, str]:
    """A project and a key that may send events for it."""
    from accounts.services.api_keys import issue_key
    from core.context import SYSTEM
    from tests.factories import make_project

    made = make_project(f"Organisation {name}", name)
    return made, issue_key(actor=SYSTEM, name=name, scopes=["events:write"], project=made).secret


def events(number: int, dice: random.Random) -> list[dict[str, Any]]:
    """Within the last ten hours, five metrics, each with a little metadata."""
    now = datetime.now(UTC)
    return [
        {
            "metric_name": dice.choice(METRICS),
            "metric_value": dice.randrange(1, 10_000) / 4,
            "idempotency_key": f"{next(_numbers):08d}-{dice.getrandbits(64):016x}",
            "timestamp": (now - timedelta(seconds=dice.randrange(36_000))).isoformat(),
            "metadata": {"region": "th", "host": f"n{dice.randrange(500)}"},
        }
        for _each in range(number)
    ]


def bodies(number: int, size: int, dice: random.Random) -> list[bytes]:
    return [json.dumps(events(size, dice)).encode() for _each in range(number)]


def empty() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE usage_events, usage_event_keys, usage_aggregates, usage_distinct")
        cursor.execute("VACUUM ANALYZE usage_aggregates, usage_event_keys")
        cursor.execute("CHECKPOINT")


def written_out() -> tuple[str, list[bytes]]:
    """The stored events in COPY's form, a line each, and the names of their columns."""
    from django.db import connection

    from usage.events.statements import STORED

    names = ", ".join(STORED)
    connection.ensure_connection()
    with connection.connection.cursor().copy(f"COPY (SELECT {names} FROM usage_events) TO STDOUT") as copy:
        return names, b"".join(bytes(piece) for piece in copy).splitlines(keepends=True)


def copy_in(names: str, lines: Sequence[bytes], size: int) -> None:
    """The limit: the same events by COPY, ``size`` a transaction, into the same partitioned and indexed table."""
    from django.db import connection, transaction

    for start in range(0, len(lines), size):
        with (
            transaction.atomic(),
            connection.cursor() as cursor,
            cursor.copy(f"COPY usage_events ({names}) FROM STDIN") as copy,
        ):
            copy.write(b"".join(lines[start : start + size]))
