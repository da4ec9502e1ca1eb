"""Numbers that are read from the database when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.db.utils import Error as DatabaseTrouble
from prometheus_client.core import REGISTRY, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hpcbilling.ops import probe

# One row of numbers a question: cheap on any size (an index or the newest row), but for the count by status.
_RECEIPTS = "SELECT status, COUNT(*) FROM receipts GROUP BY status"
_AUDIT_ROWS = "SELECT COALESCE(MAX(id), 0) FROM audit_log"
_LAST_IMPORT = (
    "SELECT finished_at FROM import_runs WHERE status IN ('done', 'partial') ORDER BY finished_at DESC LIMIT 1"
)


class DatabaseCollector(Collector):
    """Yields nothing but ``hpcbilling_database_up 0`` when the database is away: the scrape itself never fails."""

    def describe(self) -> list[Metric]:
        return []  # asked at start, when there may be no database yet

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("hpcbilling_database_up", "1 when the database answered this scrape")
        try:
            metrics = _read()
        except DatabaseTrouble:
            metrics = []
        up.add_metric([], 1 if metrics else 0)
        yield up
        yield from metrics


def _read() -> list[Metric]:
    receipts = GaugeMetricFamily("hpcbilling_receipts", "Receipts by status", labels=["status"])
    last_import = GaugeMetricFamily(
        "hpcbilling_last_import_timestamp_seconds", "End of the newest import run that brought data"
    )
    audit_rows = GaugeMetricFamily("hpcbilling_audit_rows", "Rows of the audit log")
    run = apps.get_model("usage", "ImportRun")
    statuses = [value for value, _label in apps.get_model("billing", "Receipt")._meta.get_field("status").choices or ()]
    with probe() as connection, connection.cursor() as cursor:
        cursor.execute(_RECEIPTS)
        counts = dict.fromkeys(statuses, 0) | dict(cursor.fetchall())
        cursor.execute(_AUDIT_ROWS)
        audit_rows.add_metric([], cursor.fetchone()[0])
        cursor.execute(_LAST_IMPORT)
        newest = cursor.fetchone()
        if newest and newest[0]:
            field = run._meta.get_field("finished_at")
            value = newest[0]
            for convert in connection.ops.get_db_converters(field.get_col("import_runs")):
                value = convert(value, None, connection)
            last_import.add_metric([], value.timestamp())
    for status, count in counts.items():
        receipts.add_metric([status], count)
    return [receipts, last_import, audit_rows]


def register() -> None:
    REGISTRY.register(DatabaseCollector())
