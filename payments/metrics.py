"""Counters of this app, pre-warmed."""

from __future__ import annotations

from django.conf import settings
from prometheus_client import Counter

from payments.models import EventOutcome, PaymentStatus

EVENTS = Counter("hpcbilling_payment_events_total", "Webhook calls by outcome", ["provider", "outcome"])
PAYMENTS = Counter("hpcbilling_payments_total", "Payments by the state they reached", ["provider", "status"])


def prewarm() -> None:
    for name in settings.PAYMENT_PROVIDERS:
        for outcome in (*EventOutcome.values, "duplicate"):
            EVENTS.labels(name, outcome)
        for status in PaymentStatus.values:
            PAYMENTS.labels(name, status)
