"""Doing one thing many times at the same moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connections

T = TypeVar("T")
PATIENCE = 300.0  # seconds that a race may take; two that wait for each other take for ever


def at_once(number: int, work: Callable[[int], T]) -> list[T]:
    """Run ``work(0)`` … ``work(number - 1)`` in threads that start together; results in the order they came.

    An error in any of them is raised here: a race that nobody lost is part of every test that races.
    """
    start = threading.Barrier(number)
    results: list[T] = []
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            start.wait(30)
            results.append(work(index))
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(number)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    if waiting := sum(thread.is_alive() for thread in threads):
        raise TimeoutError(f"{waiting} of {number} still wait after {PATIENCE:.0f} s")
    if errors:
        raise errors[0]
    return results
