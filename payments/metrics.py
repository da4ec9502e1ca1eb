"""Counters of this app, pre-warmed."""

from __future__ import annotations

from django.conf import settings
from prometheus_client import Counter

from payments.models import DisputeStatus, EventOutcome, PaymentStatus, RefundStatus

EVENTS = Counter("hpcbilling_payment_events_total", "Webhook calls by outcome", ["provider", "outcome"])
PAYMENTS = Counter("hpcbilling_payments_total", "Payments by the state they reached", ["provider", "status"])
REFUNDS = Counter("hpcbilling_refunds_total", "Refunds by the state they reached", ["provider", "status"])
DISPUTES = Counter("hpcbilling_disputes_total", "Disputes by the state they reached", ["provider", "status"])


def prewarm() -> None:
    for name in settings.PAYMENT_PROVIDERS:
        for outcome in (*EventOutcome.values, "duplicate"):
            EVENTS.labels(name, outcome)
        for status in PaymentStatus.values:
            PAYMENTS.labels(name, status)
        for status in RefundStatus.values:
            REFUNDS.labels(name, status)
        for status in DisputeStatus.values:
            DISPUTES.labels(name, status)
