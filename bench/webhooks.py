"""webhooks: p95 of the answer to signed calls at 50 a second, each with a record read at the provider, against 200 ms.

The site runs as in production (gunicorn, one worker, eight threads) on PostgreSQL; the provider is the local Stripe.
Every fourth call is a repeat. All on one machine, caller included.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import world
from bench.measure import Outcome, rows
from bench.site import HEADERS, running
from tests.fakes.providers import Providers
from tests.fakes.providers.__main__ import settings as provider_settings

PER_SECOND = 50
LIMIT_MS = 200


def run() -> Outcome:
    number = rows(1000)
    with Providers(seed=1) as fakes:
        environment = {**provider_settings(fakes), "PAYMENT_PROVIDER": "stripe"}
        world.empty()
        calls = calls_of_paid(fakes, environment, number)
        with running(environment) as address:
            for call in calls[:20]:  # the first calls meet a program that has not loaded everything
                _send(address, *call)
            measured, late = _at_pace(address, calls[20:])
        settled = _settled()
    milliseconds = sorted(1000 * each for each in measured)
    p95 = statistics.quantiles(milliseconds, n=20)[-1]
    return Outcome(
        name="webhooks",
        ratio=p95 / LIMIT_MS,
        goal=1.0,
        higher_is_better=False,
        limit=f"{LIMIT_MS} ms for 95 of 100 calls, {PER_SECOND} calls a second",
        figures={
            "rows": number,
            "calls": len(measured),
            "p50_ms": round(statistics.median(milliseconds), 1),
            "p95_ms": round(p95, 1),
            "most_ms": round(milliseconds[-1], 1),
            "sent_late_ms": round(1000 * late, 1),
            "payments_settled": settled,
        },
        also=settled == number,
    )


def calls_of_paid(fakes: Providers, environment: dict[str, str], number: int) -> list[tuple[bytes, dict[str, str]]]:
    """Pay ``number`` receipts at the provider; the calls that tell of it, with repeats, shuffled."""
    from django.conf import settings

    for name, value in environment.items():
        setattr(settings, name, value)
    settings.PAYMENT_PROVIDER_NAMES = ["stripe"]
    for payment in _payments(number):
        fakes.stripe.pay(payment.external_payment_id)
    events = [event for event in fakes.stripe.events if event.type == "checkout.session.completed"]
    dice = random.Random(1)
    chosen = events + dice.sample(events, len(events) // 3)
    dice.shuffle(chosen)
    return [fakes.stripe.sign(event) for event in chosen]


def _payments(number: int) -> Iterator[Any]:
    from billing.services.receipts import create_receipts
    from core.context import SYSTEM
    from payments.services.checkout import start_payment
    from tests.factories import account_tier, job_values
    from usage.models import ImportRun, Job

    account_tier("physics", "mu")
    run = ImportRun.objects.create(source="csv", cluster="bench", status="done", actor="system")
    for index in range(number):
        _user(f"payer{index}")
        Job.objects.create(import_run=run, **job_values(username=f"payer{index}", cpus=100))
        (receipt,) = create_receipts(actor=SYSTEM, username=f"payer{index}")
        yield start_payment(actor=SYSTEM, receipt=receipt)


def _user(name: str) -> None:
    from accounts.models import User

    User.objects.get_or_create(username=name)


def _send(address: str, body: bytes, headers: dict[str, str]) -> float:
    """Seconds until the answer; anything but 2xx raises."""
    call = urllib.request.Request(f"{address}/payments/webhooks/stripe/", body, {**headers, **HEADERS}, method="POST")
    began = time.perf_counter()
    with urllib.request.urlopen(call, timeout=30) as answer:
        answer.read()
    return time.perf_counter() - began


def _at_pace(address: str, calls: list[tuple[bytes, dict[str, str]]]) -> tuple[list[float], float]:
    """Each call at its own moment, whatever became of those before; times, and how late the last one was sent."""
    began, late = time.perf_counter() + 0.1, 0.0
    with ThreadPoolExecutor(32) as pool:
        waiting = []
        for number, call in zip(itertools.count(), calls):
            pause = began + number / PER_SECOND - time.perf_counter()
            late = max(late, -pause)
            time.sleep(max(pause, 0))
            waiting.append(pool.submit(_send, address, *call))
        return [each.result() for each in waiting], late


def _settled() -> int:
    from payments.models import Payment

    return Payment.objects.filter(status="succeeded").count()
