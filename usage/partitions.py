"""The monthly partitions of ``usage_events`` on PostgreSQL. On SQLite there is one table, and nothing to do here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import partial

from django.db import connection, transaction

from core.database.locks import lock_for_transaction
from core.periods import next_month, previous_month

AHEAD = 3  # months
_known: set[date] = set()  # months that this process has seen the partition of; they are only ever added


def month_of(moment: datetime) -> date:
    """Its month in UTC, in which partitions are cut."""
    return moment.astimezone(UTC).date().replace(day=1)


def usual_months(today: date | None = None) -> list[date]:
    """From the month before this one, for events that come late, to ``AHEAD`` months ahead."""
    month = previous_month((today or datetime.now(UTC).date()).replace(day=1))
    months = [month]
    for _each in range(AHEAD + 1):
        months.append(next_month(months[-1]))
    return months


def present() -> set[date]:
    """Months that have a partition."""
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'usage_events'::regclass"
        )
        names = [name for (name,) in cursor.fetchall()]
    return {datetime.strptime(name, "usage_events_%Y_%m").replace(tzinfo=UTC).date() for name in names}


def ensure(months: Iterable[date], *, dry_run: bool = False) -> list[date]:
    """Make the partitions that are missing; returns the months made. One transaction, outside of the one that writes.

    A partition is made beside the table and then attached: readers and writers of the others do not wait for it.
    """
    wanted = set(months) - _known
    if not wanted or connection.vendor != "postgresql":
        return []
    with transaction.atomic():
        lock_for_transaction("partitions")
        missing = sorted(wanted - present())
        if dry_run:
            return missing
        for month in missing:
            _make(month)
    transaction.on_commit(partial(_known.update, wanted))  # what is rolled back is not there
    return missing


def forget() -> None:
    """For tests that take partitions away."""
    _known.clear()


def name_of(month: date) -> str:
    return f"usage_events_{month:%Y_%m}"


def _make(month: date) -> None:
    name = name_of(month)
    start = datetime(month.year, month.month, 1, tzinfo=UTC)
    end = (start + timedelta(days=32)).replace(day=1)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {name} (LIKE usage_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        cursor.execute(
            f"ALTER TABLE usage_events ATTACH PARTITION {name} FOR VALUES FROM ('{start.isoformat()}')"
            f" TO ('{end.isoformat()}')"
        )
