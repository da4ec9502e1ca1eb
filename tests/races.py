"""Doing one thing many times at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


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

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
