"""quota: 1,000 calls at once for a hard limit of half as many, against that limit.

Thirty-two connections ask as fast as they can. What counts is that not one call too many gets through, nor one too few.
"""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from bench import metering
from bench.measure import Outcome, rows

CLIENTS = 32


def run() -> Outcome:
    number = rows(1000)
    limit = number // 2
    subscription = _subscription(limit)
    with ThreadPoolExecutor(CLIENTS) as pool:
        began = time.perf_counter()
        answers = list(pool.map(lambda _call: _reserve(subscription), range(number)))
        seconds = time.perf_counter() - began
        list(pool.map(_close, range(CLIENTS)))
    granted = sum(yes for yes, _took in answers)
    times = [1000 * took for _yes, took in answers]
    return Outcome(
        name="quota",
        ratio=granted / limit,
        goal=1.0,
        higher_is_better=False,
        limit=f"a hard limit of {limit} under {number} calls from {CLIENTS} connections",
        figures={
            "rows": number,
            "granted": granted,
            "overspent": max(granted - limit, 0),
            "calls_per_second": round(number / seconds),
            "p50_ms": round(statistics.median(times), 1),
            "p95_ms": round(statistics.quantiles(times, n=20)[-1], 1),
        },
        also=granted == limit,
    )


def _subscription(limit: int) -> Any:
    from django.utils import timezone

    from subscriptions.models import LimitWindow, Plan, PlanLimit, Subscription, SubscriptionStatus

    project, _key = metering.project("quota")
    plan, _made = Plan.objects.get_or_create(code="bench", defaults={"name": "Bench"})
    PlanLimit.objects.update_or_create(
        plan=plan, metric="requests", window=LimitWindow.TOTAL, defaults={"limit": limit}
    )
    Subscription.objects.filter(plan=plan).update(status=SubscriptionStatus.CANCELED)
    return Subscription.objects.create(
        organisation=project.organisation, plan=plan, currency="THB", status=SubscriptionStatus.ACTIVE,
        start_at=timezone.now(),
    )  # fmt: skip


def _reserve(subscription: Any) -> tuple[bool, float]:
    from usage.services.reservations import QuotaExhausted, reserve_quota

    began = time.perf_counter()
    try:
        reserve_quota(subscription=subscription, amounts={"requests": Decimal(1)})
    except QuotaExhausted:
        return False, time.perf_counter() - began
    return True, time.perf_counter() - began


def _close(_client: int) -> None:
    from django.db import connection

    connection.close()
