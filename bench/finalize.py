"""finalize: drafts of 20 lines each get their numbers, against 1,000 a second."""

from __future__ import annotations

import statistics
from typing import Any

from bench import billing_world, world
from bench.measure import Outcome, pairs, rows, timed

WANTED = 1000  # a second
SLICE = 250


def run() -> Outcome:
    number = rows(5_000)
    billing_world.fill(number)
    seconds = [_once(number) for _pair in range(pairs(3))]
    rate = number / statistics.median(seconds)
    return Outcome(
        name="finalize",
        ratio=rate / WANTED,
        goal=1.0,
        higher_is_better=True,
        limit=f"{WANTED} invoices a second with gapless numbers, hashes, dates and audit entries",
        figures={
            "rows": number,
            "lines_each": billing_world.METRICS + 1,
            "seconds": [round(each, 2) for each in seconds],
            "invoices_per_second": round(rate),
            "durable": world.is_durable(),
        },
        also=world.is_durable(),
    )


def _once(number: int) -> float:
    """The run that drafts them does not count; every number is there once, from 1 on."""
    from django.db.models import Max, Min

    from billing.models import Invoice
    from billing.services.invoices.issue import finalize_invoices
    from billing.services.invoices.runs import run_invoices
    from core.context import SYSTEM

    billing_world.let_go()
    run_invoices(actor=SYSTEM, month=billing_world.MONTH)
    drafts: list[Any] = list(Invoice.objects.order_by("pk"))
    assert len(drafts) == number

    def work() -> None:
        for start in range(0, number, SLICE):
            finalize_invoices(actor=SYSTEM, invoices=drafts[start : start + SLICE])

    seconds = timed(work)
    found = Invoice.objects.filter(status="finalized").aggregate(least=Min("serial"), most=Max("serial"))
    assert (found["least"], found["most"]) == (1, number), found
    return seconds
