"""What derived meters read of an event: a number at a path of its metadata, or a value to count once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.db import connection

from core.database.decimals import plain
from core.database.prepared import run
from usage.events.rows import at_path, hash_of, number_of, text_of
from usage.models import Aggregation, Meter

Found = tuple[int, Decimal, bytes | None]  # meter, number, hash of the value to count
Reader = Callable[[str, Decimal, Mapping[str, Any] | None], Iterator[Found]]


_DERIVED = (
    "SELECT id, metric_name, aggregation, value_path FROM meters WHERE (value_path <> '' OR aggregation = 'unique')"
)
_LINKS_AND_DERIVED = (
    "SELECT subscription_id, api_key_id, NULL, NULL, NULL FROM subscription_keys WHERE api_key_id {} UNION ALL "
    + _DERIVED.replace(" id,", " id, NULL,", 1)
    + " AND metric_name {}"
)
_NAMES = ("id", "metric_name", "aggregation", "value_path")


def values_of() -> Reader:
    """A function that tells what the derived meters find in an event. One query.

    Meters that are switched off go on counting: what they were asked for must not have a hole.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DERIVED)
        return _reader(cursor.fetchall())


def values_and_links(metrics: Collection[str], keys: Collection[Any]) -> tuple[Reader, dict[Any, list[int]]]:
    """The same for events of these metrics, and the subscriptions that API keys are bound to, by the key as the
    database has it: one query for both.

    Written out, because it is asked with every event: to build it costs five times as much as to run it.
    """
    if not keys and not metrics:
        return _reader([]), {}
    if connection.vendor == "postgresql":
        rows = run(_LINKS_AND_DERIVED.format("= ANY(%(keys)s::uuid[])", "= ANY(%(metrics)s::text[])"),
                   {"keys": list(keys), "metrics": sorted(metrics)})  # fmt: skip
    else:
        among = [f"IN ({', '.join(['%s'] * len(each))})" for each in (keys, metrics)]
        with connection.cursor() as cursor:
            cursor.execute(_LINKS_AND_DERIVED.format(*among), [*keys, *sorted(metrics)])
            rows = cursor.fetchall()
    bound: dict[Any, list[int]] = {}
    for subscription, key, *_meter in rows:
        if key is not None:
            bound.setdefault(key, []).append(subscription)
    return _reader([(id_, *meter) for id_, key, *meter in rows if key is None]), bound


def _reader(rows: Iterable[tuple[Any, ...]]) -> Reader:
    by_metric: dict[str, list[Meter]] = {}
    for row in rows:
        meter = Meter(**dict(zip(_NAMES, row, strict=True)))
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
