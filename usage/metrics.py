"""Counters of the importer; every series exists from the start, so a dashboard is never empty."""

from __future__ import annotations

from django.conf import settings
from prometheus_client import Counter, Histogram

VERDICTS = ("imported", "updated", "duplicate", "steps", "pending", "quarantined")

ROWS = Counter("hpcbilling_usage_rows_total", "Usage rows read, by source and verdict", ["source", "result"])
SECONDS = Histogram(
    "hpcbilling_import_seconds", "Length of an import run", ["source"], buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 1800)
)


def prewarm() -> None:
    for source in settings.USAGE_SOURCES:
        SECONDS.labels(source)
        for verdict in VERDICTS:
            ROWS.labels(source, verdict)
