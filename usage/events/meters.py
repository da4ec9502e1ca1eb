"""What derived meters read of an event: a number at a path of its metadata, or a value to count once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.db import connection

from core.decimals import plain
from usage.events.rows import at_path, hash_of, number_of, text_of
from usage.models import Aggregation, Meter

Found = tuple[int, Decimal, bytes | None]  # meter, number, hash of the value to count
Reader = Callable[[str, Decimal, Mapping[str, Any] | None], Iterator[Found]]


def values_of(metrics: set[str] | None = None) -> Reader:
    """A function that tells what the derived meters of these metrics (None: all) find in an event. One query.

    Meters that are switched off go on counting: what they were asked for must not have a hole.
    """
    by_metric: dict[str, list[Meter]] = {}
    for meter in _derived(metrics):
        by_metric.setdefault(meter.metric_name, []).append(meter)

    def read(metric: str, value: Decimal, metadata: Mapping[str, Any] | None) -> Iterator[Found]:
        for meter in by_metric.get(metric, ()):
            if (found := _found(meter, value, metadata or {})) is not None:
                yield found

    return read


def _found(meter: Meter, value: Decimal, metadata: Mapping[str, Any]) -> Found | None:
    at = at_path(metadata, meter.value_path) if meter.value_path else None
    if meter.aggregation == Aggregation.UNIQUE:
        text = text_of(at) if meter.value_path else plain(value)
        return None if text is None else (meter.pk, Decimal(0), hash_of(text))
    number = number_of(at)
    return None if number is None else (meter.pk, number, None)


def _derived(metrics: set[str] | None) -> list[Meter]:
    """Written out, because it is asked with every event: to build the query costs five times as much as to run it."""
    if metrics is not None and not metrics:
        return []
    statement = (
        "SELECT id, metric_name, aggregation, value_path FROM meters WHERE (value_path <> '' OR aggregation = 'unique')"
    )
    if metrics is not None:
        statement += f" AND metric_name IN ({', '.join(['%s'] * len(metrics))})"
    with connection.cursor() as cursor:
        cursor.execute(statement, sorted(metrics or ()))
        names = ("id", "metric_name", "aggregation", "value_path")
        return [Meter(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]
