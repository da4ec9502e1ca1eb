"""explain_line: why one line of an invoice comes to what it says, among N metered events, against 50 ms."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from typing import Any

from bench import billing_world, metering
from bench.measure import Outcome, rows

MOST_MS = 50
TIMES = 200
_EVENTS = """
INSERT INTO usage_events (id, organisation_id, project_id, metric_name, metric_value, unit, "timestamp",
    idempotency_key, metadata, model_id, is_late, ingested_at)
SELECT gen_random_uuid(), %s, %s, 'bench.metric' || lpad((1 + n %% 19)::text, 2, '0'), 1, '',
    %s + n %% 2500000 * interval '1 second', 'bench-' || n, '{}', '', false, now()
FROM generate_series(1::bigint, %s) n
"""


def run() -> Outcome:
    from django.db import connection

    from billing.models import InvoiceLine
    from billing.selectors.documents.invoice_explain import explain_line
    from billing.services.invoices.runs import run_invoices
    from core.context import SYSTEM

    number = rows(10_000_000)
    metering.empty()
    billing_world.fill(200)
    _days()
    run_invoices(actor=SYSTEM, month=billing_world.MONTH, finalize=True)
    lines = list(InvoiceLine.objects.filter(kind="usage").select_related("invoice")[:TIMES])
    _fill(lines[0], number)
    taken = []
    for line in lines:
        began = time.perf_counter()
        found = explain_line(InvoiceLine.objects.get(pk=line.pk))
        taken.append(1000 * (time.perf_counter() - began))
        assert found.total == line.total
        assert found.days
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM usage_events")
        (events,) = cursor.fetchone()
    p95 = statistics.quantiles(taken, n=20)[-1]
    return Outcome(
        name="explain_line",
        ratio=p95 / MOST_MS,
        goal=1.0,
        higher_is_better=False,
        limit=f"{MOST_MS} ms for 95 of 100 lines",
        figures={
            "rows": events,
            "lines": len(taken),
            "p50_ms": round(statistics.median(taken), 1),
            "p95_ms": round(p95, 1),
        },
        also=events >= number,
    )


def _days() -> None:
    """Daily sums below each month, as events leave them."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_aggregates (organisation_id, project_id, metric_name, unit, model_id, period_type,"
            " period_start, slot, total_value, event_count, error_count, late_count, request_tokens, response_tokens,"
            " cached_tokens, reasoning_tokens, latency_ms_sum, latency_count, min_value, max_value, latest_value,"
            " latest_at) SELECT organisation_id, project_id, metric_name, unit, model_id, 'day',"
            " period_start + n * interval '1 day', 0, total_value / 30, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, latest_at"
            " FROM usage_aggregates, generate_series(0, 29) n WHERE period_type = 'month'"
        )
        cursor.execute("VACUUM (ANALYZE) usage_aggregates")


def _fill(line: Any, number: int) -> None:
    """Events of the month; all of one customer, the one that is asked about first."""
    from django.db import connection

    from usage.partitions import ensure, month_of

    first = billing_world.START
    ensure({month_of(first), month_of(first + timedelta(days=29))})
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, [line.invoice.organisation_id, line.project_id, first, number])
        cursor.execute("ANALYZE usage_events")
