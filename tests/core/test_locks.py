"""Run locks: one run at a time, free again the moment it ends, however it ends."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections, transaction

from core.database.locks import lock_for_transaction, run_lock
from core.errors import Busy

pytestmark = pytest.mark.django_db(transaction=True)


def in_thread(work: Any) -> list[BaseException]:
    """Run ``work`` beside us; a lock belongs to a process and connection, so a thread stands for another run."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return errors


def take() -> None:
    with run_lock("import:tara"):
        pass


def test_a_second_run_is_told_that_another_is_under_way() -> None:
    with run_lock("import:tara"):
        (error,) = in_thread(take)
    assert isinstance(error, Busy)
    assert (error.exit_code, error.retryable) == (75, True)


def test_other_names_do_not_wait() -> None:
    with run_lock("import:other"):
        assert in_thread(take) == []


def test_the_lock_is_free_at_once_a_hundred_times_over() -> None:
    for _ in range(100):
        take()


def test_a_run_that_fails_frees_the_lock_too() -> None:
    with pytest.raises(RuntimeError), run_lock("import:tara"):
        raise RuntimeError
    take()


def test_a_transaction_lock_outside_a_transaction_is_a_programming_error() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        lock_for_transaction("x")


def test_a_transaction_lock_makes_the_second_writer_wait_for_the_commit() -> None:
    order: list[str] = []
    inside, may_end = threading.Event(), threading.Event()

    def first() -> None:
        with transaction.atomic():
            lock_for_transaction("test")
            inside.set()
            may_end.wait(5)
            order.append("first")
        connections.close_all()

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(5)

    def second() -> None:
        with transaction.atomic():
            lock_for_transaction("test")
            order.append("second")

    beside = threading.Thread(target=lambda: (second(), connections.close_all()))
    beside.start()
    beside.join(0.3)
    assert order == []
    may_end.set()
    thread.join()
    beside.join()
    assert order == ["first", "second"]
