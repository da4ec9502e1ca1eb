"""aggregates: taking events in with their sums, against the same without sums; and how long sums take to read.

Both sides are the one statement of the store, in batches of 1,000. Afterwards the sums of 50,000 series of a month are
added up (at most 50 ms), and one customer's days are read among them and ``BENCH_ROWS`` events (at most 2 ms), in the
database.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from typing import Any

from bench import metering
from bench.measure import Outcome, in_turn, rows

SIZE = 1000
GOAL = 0.4
SERIES = 50_000
MONTH_MS, CUSTOMER_MS = 50, 2
_MONTH = """
SELECT sum(total_value) FROM usage_aggregates
WHERE organisation_id = %s AND period_type = 'month' AND period_start = '2026-10-01 00:00+07'"""
_CUSTOMER = """
SELECT period_start, sum(total_value) FROM usage_aggregates
WHERE project_id = %s AND period_type = 'day' AND period_start >= '2026-09-01 00:00+07' AND metric_name = 'one'
GROUP BY period_start"""


def run() -> Outcome:
    number = rows(40_000)
    size = min(SIZE, number)
    project, _key = metering.project("sums")
    dice = random.Random(1)
    found = in_turn(
        lambda: _take(project, number, size, dice, aggregates=True),
        lambda: _take(project, number, size, dice, aggregates=False),
    )
    month, customer = _read()
    return Outcome(
        name="aggregates",
        ratio=found.ratio(lambda a, b: b / a),
        goal=GOAL,
        higher_is_better=True,
        limit="the same statement without sums",
        figures={
            **found.figures("with", "without", number),
            "month_total_ms": round(month, 1),
            "month_series": SERIES,
            "customer_ms": round(customer, 2),
        },
        also=month <= MONTH_MS and customer <= CUSTOMER_MS,
    )


def _take(project: Any, number: int, size: int, dice: random.Random, *, aggregates: bool) -> float:
    from django.utils import timezone

    from usage.events import statements
    from usage.events.checking import Checker, Clock, Sender
    from usage.events.postgres import _parameters, run
    from usage.events.rows import Batch
    from usage.events.schema import read_many

    metering.empty()
    statement = statements.ingest(points=False, distinct=False, aggregates=aggregates)
    batches = []
    for _each in range(max(number // size, 1)):
        events = read_many(json.dumps(metering.events(size, dice)).encode(), cloud=False, most=size)
        checker = Checker(events, Sender(project=project), Clock.at(timezone.now()))
        batches.append(_parameters(Batch([checker.check(event).row for event in events])))
    began = time.perf_counter()
    for parameters in batches:
        run(statement, parameters)
    return time.perf_counter() - began


def _read() -> tuple[float, float]:
    """Milliseconds in the database: the month over 50,000 series, and the days of one project."""
    from django.db import connection

    project, _key = metering.project("read")
    columns = (
        "organisation_id, project_id, metric_name, unit, model_id, period_type, period_start, slot, total_value,"
        " event_count, error_count, late_count, request_tokens, response_tokens, cached_tokens, reasoning_tokens,"
        " latency_ms_sum, latency_count, min_value, max_value, latest_value, latest_at"
    )
    values = "0, g, 1, 0, 0, 0, 0, 0, 0, 0, 0, g, g, g, now()"
    with connection.cursor() as cursor:
        for kind, count, step in (("month", SERIES, "0 days"), ("day", 365, "1 day")):
            name = "'s' || g" if kind == "month" else "'one'"
            cursor.execute(
                f"INSERT INTO usage_aggregates ({columns}) SELECT %s, %s, {name}, '', '', %s,"
                f" timestamptz '2026-10-01 00:00+07' - g * interval '{step}', {values}"
                f" FROM generate_series(1, {count}) g",
                [project.organisation_id, project.pk, kind],
            )
        cursor.execute("ANALYZE usage_aggregates")
        month = _milliseconds(cursor, _MONTH, [project.organisation_id])
        customer = _milliseconds(cursor, _CUSTOMER, [project.pk])
        return month, customer


def _milliseconds(cursor: Any, statement: str, parameters: list[Any]) -> float:
    found = []
    for _try in range(7):
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        plan = cursor.fetchone()[0]
        plan = json.loads(plan) if isinstance(plan, str) else plan
        found.append(float(plan[0]["Planning Time"] + plan[0]["Execution Time"]))
    return statistics.median(found)
