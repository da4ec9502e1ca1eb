"""Counters of this app. Every series exists from the start, so that a graph is never empty."""

from __future__ import annotations

from prometheus_client import Counter

RECEIPTS = Counter("hpcbilling_receipts_total", "Receipts by what happened to them", ["event"])
for _event in ("created", "paid", "refunded", "void"):
    RECEIPTS.labels(_event)


def receipts_created(number: int) -> None:
    RECEIPTS.labels("created").inc(number)


def receipt_moved(event: str) -> None:
    RECEIPTS.labels(event).inc()
