"""Metered usage that nobody has priced: found before an invoice stops at it. Reads only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from billing.models import PricingPlan
from core.clock import real
from usage.models import Meter, Period, UsageAggregate

LATELY = timedelta(days=62)  # the month that runs, and those whose invoices are due


def unpriced_metrics(now: datetime) -> QuerySet[Any]:
    """``metric_name`` of what real organisations used lately and what no active price, for anybody and at any time,
    names: neither itself nor a meter of it. What lacks a price only for some stands on their drafts."""
    priced = PricingPlan.objects.filter(is_active=True).values("metric_name")
    rows = real(UsageAggregate.objects.filter(period_type=Period.MONTH, meter=None, period_start__gte=now - LATELY))
    rows = rows.exclude(metric_name__in=priced)
    rows = rows.exclude(metric_name__in=Meter.objects.filter(code__in=priced).values("metric_name"))
    return rows.order_by().values("metric_name").distinct()
