"""event: single events over HTTP from 16 clients, against prepared single-row inserts from 16 connections.

Both sides are durable and share this machine with their clients. The inserts go into a plain table with one index,
without HTTP, checks or sums: the least that PostgreSQL can be asked for.
"""

from __future__ import annotations

import http.client
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg

from bench import metering
from bench.measure import Outcome, in_turn, rows
from bench.site import HEADERS, running

CLIENTS = 16
GOAL = 0.10
ON_ONE_CONNECTION = 25


def run() -> Outcome:
    from django.db import connection

    number = rows(6000)
    dice = random.Random(1)
    owners = [metering.project(f"single{client}")[1] for client in range(CLIENTS)]
    settings = connection.settings_dict
    address_of_database = psycopg.conninfo.make_conninfo(
        host=settings["HOST"], port=settings["PORT"] or None, dbname=settings["NAME"], user=settings["USER"] or None,
        password=settings["PASSWORD"] or None,
    )  # fmt: skip
    with running({}, workers=2, threads=8) as address, ThreadPoolExecutor(CLIENTS) as pool:
        shares = [metering.bodies(4, 1, dice) for _each in owners]
        list(pool.map(_post, [address] * CLIENTS, owners, shares))

        def ours() -> float:
            metering.empty()
            shares = [metering.bodies(max(number // CLIENTS, 1), 1, dice) for _each in owners]
            began = time.perf_counter()
            list(pool.map(_post, [address] * CLIENTS, owners, shares))
            return time.perf_counter() - began

        def theirs() -> float:
            with psycopg.connect(address_of_database, autocommit=True) as control:
                control.execute("DROP TABLE IF EXISTS plain_events")
                control.execute(
                    "CREATE TABLE plain_events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text UNIQUE,"
                    " metric text, value numeric, at timestamptz, metadata jsonb)"
                )
            began = time.perf_counter()
            list(
                pool.map(
                    _insert, [address_of_database] * CLIENTS, range(CLIENTS), [max(number // CLIENTS, 1)] * CLIENTS
                )
            )
            return time.perf_counter() - began

        found = in_turn(ours, theirs)
    ratio = found.ratio(lambda a, b: b / a)
    figures = found.figures("http", "insert", number)
    return Outcome(
        name="event",
        ratio=ratio,
        goal=GOAL,
        higher_is_better=True,
        limit=f"prepared single-row inserts, {CLIENTS} connections",
        figures={**figures, "clients": CLIENTS, "events_per_second": round(number / statistics.median(found.ours))},
    )


def _post(address: str, key: str, bodies: list[bytes]) -> None:
    """A connection now and then is a new one: with sixteen for good, one worker may be left with three of them."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    headers = {**HEADERS, "Authorization": f"Bearer {key}"}
    for number, body in enumerate(bodies, 1):
        if number % ON_ONE_CONNECTION == 0:
            connection.close()
        connection.request("POST", "/api/v1/events", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 202 or b'"accepted":1' not in text:
            raise RuntimeError(f"{answer.status} {text[:300]!r}")
    connection.close()


def _insert(conninfo: str, client: int, number: int) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for each in range(number):
            connection.execute(
                "INSERT INTO plain_events (key, metric, value, at, metadata) VALUES (%s, %s, %s, now(), %s)"
                " ON CONFLICT DO NOTHING",
                (f"{client}-{each}", "api.call", each, '{"region":"th"}'),
                prepare=True,
            )
