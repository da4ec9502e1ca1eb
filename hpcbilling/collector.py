"""Numbers that are read from the database when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.utils import Error as DatabaseTrouble
from prometheus_client.core import REGISTRY, CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from audit import heads
from hpcbilling.ops import probe
from usage.models import VERDICTS

# One row of numbers a question: cheap on any size (an index or the newest row), but for the count by status and the
# sums over the import runs (a row an hour).
_RECEIPTS = "SELECT status, COUNT(*) FROM receipts GROUP BY status"
_AUDIT_ROWS = "SELECT COALESCE(MAX(id), 0) FROM audit_log"
# Those that wait are found by their index; given up are few, and the table is pruned.
_EMAILS = "SELECT status, COUNT(*) FROM email_notifications WHERE status <> 'sent' GROUP BY status"
_LAST_IMPORT = (
    "SELECT started_at, finished_at FROM import_runs WHERE status IN ('done', 'partial') AND source <> 'quarantine'"
    " AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1"
)
_KNOWN_UNTIL = (
    "SELECT cluster, MAX(data_until) FROM import_runs WHERE status IN ('done', 'partial') AND source <> 'quarantine'"
    " AND data_until IS NOT NULL GROUP BY cluster ORDER BY cluster"
)
_USAGE_ROWS = f"SELECT source, {', '.join(f'SUM({name})' for name in VERDICTS)} FROM import_runs GROUP BY source"


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
    with probe() as connection, connection.cursor() as cursor:
        return [
            _receipts(cursor),
            _emails(cursor),
            _audit_rows(cursor),
            *_audit_proof(cursor),
            *_tasks(connection, cursor),
            *_last_import(connection, cursor),
            _known_until(connection, cursor),
            _usage_rows(cursor),
        ]


def _receipts(cursor: CursorWrapper) -> Metric:
    metric = GaugeMetricFamily("hpcbilling_receipts", "Receipts by status", labels=["status"])
    statuses = [value for value, _label in apps.get_model("billing", "Receipt")._meta.get_field("status").choices or ()]
    cursor.execute(_RECEIPTS)
    for status, count in (dict.fromkeys(statuses, 0) | dict(cursor.fetchall())).items():
        metric.add_metric([status], count)
    return metric


def _emails(cursor: CursorWrapper) -> Metric:
    """From the outbox itself: the runner that sends is another process."""
    metric = GaugeMetricFamily("hpcbilling_emails", "E-mails that wait or were given up", labels=["status"])
    cursor.execute(_EMAILS)
    for status, count in (dict.fromkeys(("pending", "failed"), 0) | dict(cursor.fetchall())).items():
        metric.add_metric([status], count)
    return metric


def _audit_rows(cursor: CursorWrapper) -> Metric:
    metric = GaugeMetricFamily("hpcbilling_audit_rows", "Rows of the audit log")
    cursor.execute(_AUDIT_ROWS)
    metric.add_metric([], cursor.fetchone()[0])
    return metric


def _audit_proof(cursor: CursorWrapper) -> list[Metric]:
    """What the newest verification said, and the newest signed head, where there is one that we may read."""
    intact = GaugeMetricFamily("hpcbilling_audit_intact", "1 when the newest verification found the log whole")
    cursor.execute("SELECT ok FROM audit_verifications ORDER BY id DESC LIMIT 1")
    if newest := cursor.fetchone():
        intact.add_metric([], int(newest[0]))
    signed = GaugeMetricFamily("hpcbilling_audit_signed_rows", "Newest row of the audit log under a signed head")
    at = GaugeMetricFamily("hpcbilling_audit_signed_timestamp_seconds", "When the newest head was signed")
    log = heads.peek()
    if log and (head := log.newest):
        signed.add_metric([], head["id"])
        at.add_metric([], datetime.fromisoformat(head["at"]).timestamp())
    return [intact, signed, at]


def _tasks(connection: BaseDatabaseWrapper, cursor: CursorWrapper) -> list[Metric]:
    """The periodic work: when each task last ended, and whether it failed."""
    ended = GaugeMetricFamily("hpcbilling_task_last_run_timestamp_seconds", "End of its last run", labels=["task"])
    failed = GaugeMetricFamily("hpcbilling_task_failed", "1 when its last run failed", labels=["task"])
    cursor.execute("SELECT name, last_run_at, last_status FROM periodic_tasks WHERE last_run_at IS NOT NULL")
    for name, moment, status in cursor.fetchall():
        ended.add_metric([name], _instant(connection, moment).timestamp())
        failed.add_metric([name], int(status == "failed"))
    return [ended, failed]


def _last_import(connection: BaseDatabaseWrapper, cursor: CursorWrapper) -> list[Metric]:
    """When the newest run that brought data ended, and how long it took. Nothing before the first."""
    ended = GaugeMetricFamily(
        "hpcbilling_last_import_timestamp_seconds", "End of the newest import run that brought data"
    )
    took = GaugeMetricFamily("hpcbilling_last_import_seconds", "Length of the newest import run that brought data")
    cursor.execute(_LAST_IMPORT)
    if newest := cursor.fetchone():
        started_at, finished_at = (_instant(connection, value) for value in newest)
        ended.add_metric([], finished_at.timestamp())
        took.add_metric([], max(0.0, (finished_at - started_at).total_seconds()))
    return [ended, took]


def _known_until(connection: BaseDatabaseWrapper, cursor: CursorWrapper) -> Metric:
    """By cluster: one that stays behind is seen while others are read."""
    metric = GaugeMetricFamily(
        "hpcbilling_usage_until_timestamp_seconds", "Moment up to which its usage is known", labels=["cluster"]
    )
    cursor.execute(_KNOWN_UNTIL)
    for cluster, moment in cursor.fetchall():
        metric.add_metric([cluster], _instant(connection, moment).timestamp())
    return metric


def _instant(connection: BaseDatabaseWrapper, value: Any) -> datetime:
    """A time as this database gives it to a bare cursor (SQLite: text), made a ``datetime``."""
    field = apps.get_model("usage", "ImportRun")._meta.get_field("finished_at")
    for convert in connection.ops.get_db_converters(field.get_col("import_runs")):
        value = convert(value, None, connection)
    return cast(datetime, value)


def _usage_rows(cursor: CursorWrapper) -> Metric:
    """From the runs themselves: imports happen in other processes, whose own counters nobody could scrape."""
    metric = CounterMetricFamily(
        "hpcbilling_usage_rows", "Usage rows read, by source and verdict", labels=["source", "result"]
    )
    cursor.execute(_USAGE_ROWS)
    sums = {source: row for source, *row in cursor.fetchall()}
    for source in sorted(settings.USAGE_SOURCES.keys() | sums.keys()):
        for verdict, count in zip(VERDICTS, sums.get(source) or [0] * len(VERDICTS), strict=True):
            metric.add_metric([source, verdict], int(count))
    return metric


def register() -> None:
    REGISTRY.register(DatabaseCollector())
