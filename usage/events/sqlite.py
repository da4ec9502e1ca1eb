"""Events in SQLite: the same behaviour in one table. There is one writer, so what Python adds up is what is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import F, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from accounts.models import Organisation
from core.database.decimals import plain
from core.periods import day_start, next_month
from usage.events.meters import values_of
from usage.events.rows import ACCEPTED, CONFLICT, DUPLICATE, Batch, EventRow
from usage.events.store import Difference, EventStore, Stretch
from usage.events.sums import Series, Sums, Tally
from usage.models import UsageAggregate, UsageDistinct, UsageEvent, UsageEventKey

CHUNK = 300  # of rows named in one condition
_metadata = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_FIELDS = [name for name in EventRow._fields if name not in ("payload_hash", "zone", "metadata")]
Distinct = tuple[int, int, int, int | None, Any, bytes]  # columns of UsageDistinct


class SqliteEvents(EventStore):
    def add(self, batch: Batch) -> list[str]:
        if not batch.rows:
            return []
        with transaction.atomic():
            known = _known(batch.rows)
            verdicts = []
            for row in batch.rows:
                there = known.get((row.project_id, row.idempotency_key))
                verdicts.append(ACCEPTED if there is None else DUPLICATE if there == row.payload_hash else CONFLICT)
            _keep(batch, [n for n, verdict in enumerate(verdicts) if verdict == ACCEPTED])
        return verdicts

    def rebuild(self, stretch: Stretch) -> int:
        with transaction.atomic():
            for aggregates, distinct in _stored(stretch):
                aggregates.delete()
                distinct.delete()
            tally, values = _count(stretch)
            _write(tally.found)
            _write_distinct(values)
        return len(tally.found)

    def check(self, stretch: Stretch, most: int = 20) -> list[Difference]:
        tally, values = _count(stretch)
        stored: dict[Series, Sums] = {}
        there: set[Distinct] = set()
        for aggregates, distinct in _stored(stretch):
            for row in aggregates.iterator():
                series, sums = _series(row), _sums(row)
                if series in stored:
                    stored[series].add(sums)
                else:
                    stored[series] = sums
            there |= {_distinct(row) for row in distinct.iterator()}
        found = [
            Difference(_words(series), _figures(stored.get(series)), _figures(tally.found.get(series)))
            for series in sorted({*stored, *tally.found}, key=_words)
            if stored.get(series) != tally.found.get(series)
        ]
        odd = {(row[2], row[0], row[4]) for row in values ^ there}
        found += [
            Difference(f"project {project}, meter {meter}, hour {hour:%Y-%m-%d %H:%M}", "other values", "")
            for project, meter, hour in sorted(odd)
        ]
        return found[:most]

    def fold(self) -> int:
        return 0  # one writer: there is only slot 0


def _known(rows: list[EventRow]) -> dict[tuple[int, str], bytes]:
    known = {}
    for some in chunks(rows, CHUNK):
        of = Q(project__in={row.project_id for row in some}, idempotency_key__in=[row.idempotency_key for row in some])
        for key in UsageEventKey.objects.filter(of):
            known[key.project_id, key.idempotency_key] = bytes(key.payload_hash)
    return known


def _keep(batch: Batch, fresh: list[int]) -> None:
    rows = [batch.rows[n] for n in fresh]
    UsageEventKey.objects.bulk_create(
        [
            UsageEventKey(
                project_id=row.project_id, idempotency_key=row.idempotency_key, payload_hash=row.payload_hash,
                timestamp=row.timestamp,
            )
            for row in rows
        ]
    )  # fmt: skip
    UsageEvent.objects.bulk_create([_event(row) for row in rows])
    chosen, tally, values = set(fresh), Tally(), set()
    for row in rows:
        tally.add(row)
    for point in batch.points:
        if point.place not in chosen:
            continue
        row = batch.rows[point.place]
        if point.distinct is None:
            tally.add(row, meter_id=point.meter_id, value=point.value)
        else:
            values.add(_value(row, point.meter_id, point.distinct, tally))
    _write(tally.found)
    _write_distinct(values)


def _event(row: EventRow) -> UsageEvent:
    fields = {name: getattr(row, name) for name in _FIELDS}
    return UsageEvent(**fields, metadata=msgspec.json.decode(row.metadata))


def _value(row: EventRow, meter_id: int, found: bytes, tally: Tally) -> Distinct:
    hour = next(start for kind, start in tally.starts(row.timestamp, row.zone) if kind == "hour")
    return meter_id, row.organisation_id, row.project_id, row.subscription_id, hour, found


def _write(sums: dict[Series, Sums]) -> None:
    """Add to what is stored."""
    for some in chunks(list(sums), CHUNK):
        stored = {
            _series(row): row
            for row in UsageAggregate.objects.filter(
                project__in={series.project_id for series in some},
                period_start__in={series.period_start for series in some},
                slot=0,
            )
        }
        fresh, changed = [], []
        for series in some:
            row = stored.get(series)
            now = sums[series]
            if row is None:
                fresh.append(UsageAggregate(**series._asdict(), **now.values()))
                continue
            total = _sums(row)
            total.add(now)
            for name, value in total.values().items():
                setattr(row, name, value)
            row.updated_at = timezone.now()
            changed.append(row)
        UsageAggregate.objects.bulk_create(fresh)
        UsageAggregate.objects.bulk_update(changed, [*Sums.__slots__, "updated_at"], batch_size=50)


def _write_distinct(values: set[Distinct]) -> None:
    names = ("meter_id", "organisation_id", "project_id", "subscription_id", "hour", "value_hash")
    rows = [UsageDistinct(**dict(zip(names, value, strict=True))) for value in values]
    UsageDistinct.objects.bulk_create(rows, ignore_conflicts=True, batch_size=CHUNK)


def _series(row: UsageAggregate) -> Series:
    return Series(*(getattr(row, name) for name in Series._fields))


def _sums(row: UsageAggregate) -> Sums:
    return Sums(**{name: getattr(row, name) for name in Sums.__slots__})


def _distinct(row: UsageDistinct) -> Distinct:
    where = row.meter_id, row.organisation_id, row.project_id, row.subscription_id, row.hour
    return *where, bytes(row.value_hash)


def _words(series: Series) -> str:
    meter = f", meter {series.meter_id}" if series.meter_id else ""
    at = f"{series.period_type} {series.period_start:%Y-%m-%d %H:%M}"
    return f"project {series.project_id}, {series.metric_name}{meter}, {at}"


def _figures(sums: Sums | None) -> str:
    return f"{sums.event_count} events, {plain(sums.total_value)}" if sums else "0 events, 0"


def _windows(stretch: Stretch) -> Iterator[tuple[int | None, Any, Any]]:
    """Organisation (None: all), start and end of what the stretch covers."""
    if stretch.month is None:
        yield stretch.organisation_id, None, None
        return
    organisations = Organisation.objects.all()
    if stretch.organisation_id is not None:
        organisations = organisations.filter(pk=stretch.organisation_id)
    first, last = stretch.month.replace(day=1), next_month(stretch.month)
    for organisation in organisations:
        yield organisation.pk, day_start(first, organisation.zone), day_start(last, organisation.zone)


def _within(rows: QuerySet[Any], column: str, window: tuple[int | None, Any, Any]) -> QuerySet[Any]:
    organisation, start, end = window
    if organisation is not None:
        rows = rows.filter(organisation=organisation)
    if start is not None:
        rows = rows.filter(**{f"{column}__gte": start, f"{column}__lt": end})
    return rows


def _stored(stretch: Stretch) -> Iterator[tuple[QuerySet[UsageAggregate], QuerySet[UsageDistinct]]]:
    for window in _windows(stretch):
        yield (
            _within(UsageAggregate.objects.all(), "period_start", window),
            _within(UsageDistinct.objects.all(), "hour", window),
        )


def _count(stretch: Stretch) -> tuple[Tally, set[Distinct]]:
    """Add the stored events up."""
    tally, values = Tally(), set()
    read = values_of()
    for window in _windows(stretch):
        events = _within(UsageEvent.objects.all(), "timestamp", window)
        rows = events.annotate(raw=Cast("metadata", TextField()), zone=F("organisation__time_zone"))
        for event in rows.values(*_FIELDS, "raw", "zone").iterator():
            metadata = _metadata.decode(event.pop("raw"))
            row = EventRow(**event, payload_hash=b"", metadata="")
            tally.add(row)
            for meter_id, number, distinct in read(row.metric_name, row.metric_value, metadata):
                if distinct is None:
                    tally.add(row, meter_id=meter_id, value=number)
                else:
                    values.add(_value(row, meter_id, distinct, tally))
    return tally, values


def chunks(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
