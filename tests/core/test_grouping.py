"""Group commit: everybody gets the result of the own item, and nobody is told of what was not done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from core.database.grouping import GroupFailed, Groups
from core.errors import Unavailable


class Gate:
    """Work that stands still until it is let go, so that a test knows who waits meanwhile."""

    def __init__(self, work: Callable[[list[int]], list[int]] = lambda items: [item * 10 for item in items]) -> None:
        self.work, self.groups = work, [[0][:0]]
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, items: list[int]) -> list[int]:
        self.groups.append(items)
        self.begun.release()
        assert self.go.acquire(timeout=20)
        return self.work(items)


class Callers:
    def __init__(self, groups: Groups[int, int]) -> None:
        self.groups, self.results = groups, dict[int, Any]()
        self.threads: list[threading.Thread] = []

    def call(self, item: int) -> None:
        def run() -> None:
            try:
                self.results[item] = self.groups.submit(item)
            except BaseException as error:
                self.results[item] = type(error)

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def wait_until_waiting(self, number: int) -> None:
        end = time.monotonic() + 20
        while len(self.groups._waiting) < number:
            assert time.monotonic() < end
            time.sleep(0.002)

    def join(self) -> dict[int, Any]:
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()
        return self.results


def gathered(gate: Gate, number: int = 4, **how: Any) -> Callers:
    """One caller leads a group of its own; ``number - 1`` others wait behind it."""
    callers = Callers(Groups(gate, **how))
    callers.call(1)
    assert gate.begun.acquire(timeout=20)
    for item in range(2, number + 1):
        callers.call(item)
        callers.wait_until_waiting(item - 1)
    return callers


def test_alone_it_is_done_at_once_in_the_thread_that_asks() -> None:
    groups = Groups[int, int](lambda items: [threading.get_ident() for _item in items])
    assert groups.submit(1) == threading.get_ident()
    assert groups.submit(2) == threading.get_ident()


def test_who_comes_while_one_works_is_the_next_group_and_each_has_the_own_result() -> None:
    gate = Gate()
    callers = gathered(gate)
    gate.go.release(2)
    assert callers.join() == {1: 10, 2: 20, 3: 30, 4: 40}
    assert gate.groups[1:] == [[1], [2, 3, 4]]


def test_a_group_is_never_larger_than_it_may_be() -> None:
    gate = Gate()
    callers = gathered(gate, 6, most=2)
    gate.go.release(4)
    assert len(callers.join()) == 6
    assert gate.groups[1:] == [[1], [2, 3], [4, 5], [6]]


def test_an_error_is_told_to_all_of_its_group_and_to_no_other() -> None:
    def work(items: list[int]) -> list[int]:
        if 3 in items:
            raise ValueError
        return items

    gate = Gate(work)
    callers = gathered(gate)
    gate.go.release(3)
    assert callers.join() == {1: 1, 2: GroupFailed, 3: GroupFailed, 4: GroupFailed}
    assert callers.groups.submit(5) == 5


def test_too_few_results_are_an_error_and_nobody_has_another_ones() -> None:
    gate = Gate(lambda items: items[:1])
    callers = gathered(gate)
    gate.go.release(2)
    assert callers.join() == {1: 1, 2: GroupFailed, 3: GroupFailed, 4: GroupFailed}


def test_when_the_leaders_thread_ends_the_others_know_and_the_next_one_leads() -> None:
    def work(items: list[int]) -> list[int]:
        if 2 in items:
            raise SystemExit
        return items

    gate = Gate(work)
    callers = gathered(gate, 4, most=2)
    gate.go.release(3)
    assert callers.join() == {1: 1, 2: SystemExit, 3: GroupFailed, 4: 4}


def test_who_is_not_taken_in_time_goes_by_itself_and_is_not_done_later() -> None:
    gate = Gate()
    callers = gathered(gate, 3, patience=0.1)
    callers.threads[1].join(20)
    callers.threads[2].join(20)
    gate.go.release(1)
    assert callers.join() == {1: 10, 2: GroupFailed, 3: GroupFailed}
    assert gate.groups[1:] == [[1]]


def test_who_is_taken_and_hears_nothing_is_told_that_nobody_knows() -> None:
    """By then it may have been done: to do it again by the same way that hangs helps nobody."""
    gate = Gate()
    callers = gathered(gate, 3, patience=1.5, longest=0.1)
    gate.go.release(1)
    assert gate.begun.acquire(timeout=20)
    callers.threads[2].join(20)
    gate.go.release(1)
    assert callers.join() == {1: 10, 2: 20, 3: Unavailable}
    gate.go.release(1)
    assert callers.groups.submit(7) == 70


@pytest.mark.parametrize("number", [50])
def test_thousands_of_calls_from_many_threads_are_each_done_once(number: int) -> None:
    done: list[int] = []

    def work(items: list[int]) -> list[int]:
        done.extend(items)
        return [-item for item in items]

    groups, wrong = Groups[int, int](work), list[int]()

    def client(first: int) -> None:
        wrong.extend(item for item in range(first, first + 200) if groups.submit(item) != -item)

    threads = [threading.Thread(target=client, args=(1000 * each,)) for each in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, sorted(done)) == ([], sorted(1000 * c + n for c in range(number) for n in range(200)))
