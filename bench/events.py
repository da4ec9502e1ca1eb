"""events: batches of 1,000 over HTTP, checked, told apart, added up and durable, against COPY of the same events.

The site runs as in production (gunicorn, two workers) on PostgreSQL, two clients send; COPY goes in transactions of
1,000 rows into the same table, one after the other. The clients, the site and the database share this machine.
"""

from __future__ import annotations

import http.client
import random
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from urllib.parse import urlsplit

from bench import metering
from bench.measure import Outcome, in_turn, rows
from bench.site import HEADERS, running

SIZE = 1000
CLIENTS = 2
GOAL = 0.25
PER_SECOND = 10_000


def run() -> Outcome:
    number = rows(100_000)
    size = min(SIZE, max(number // 4, 1))
    dice = random.Random(1)
    owners = [metering.project(f"batch{client}")[1] for client in range(CLIENTS)]
    limit: list[float] = []
    with running({}, workers=2, threads=4) as address, ProcessPoolExecutor(CLIENTS) as pool:
        _send_all((address, owners[0], metering.bodies(2, min(size, 50), dice)))

        def ours() -> float:
            metering.empty()
            shares = [metering.bodies(number // size // CLIENTS, size, dice) for _each in owners]
            list(pool.map(len, ("start",)))  # the clients are there
            began = time.perf_counter()
            list(pool.map(_send_all, [(address, key, share) for key, share in zip(owners, shares, strict=True)]))
            return time.perf_counter() - began

        def theirs() -> float:
            names, lines = metering.written_out()
            metering.empty()
            began = time.perf_counter()
            metering.copy_in(names, lines, size)
            limit.append(len(lines))
            return time.perf_counter() - began

        found = in_turn(ours, theirs)
    sent = number // size // CLIENTS * CLIENTS * size
    ratio = found.ratio(lambda a, b: b / a)
    speed = sent / statistics.median(found.ours)
    return Outcome(
        name="events",
        ratio=ratio,
        goal=GOAL,
        higher_is_better=True,
        limit=f"COPY of the same events, {size} a transaction",
        figures={**found.figures("http", "copy", number), "batch": size, "events_per_second": round(speed)},
        also=speed >= PER_SECOND and all(each == sent for each in limit),
    )


def _send_all(job: tuple[str, str, list[bytes]]) -> None:
    """Every body, one after the other, on one connection. Anything but 202 for all of it raises."""
    address, key, bodies = job
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    headers = {**HEADERS, "Authorization": f"Bearer {key}"}
    for body in bodies:
        connection.request("POST", "/api/v1/events", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 202 or b'"rejected":0' not in text or b'"duplicate":0' not in text:
            raise RuntimeError(f"{answer.status} {text[:300]!r}")
    connection.close()
