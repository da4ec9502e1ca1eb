"""Read the next batches while the database takes this one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usage.batches import Batch

DEPTH = 2  # batches that wait, so memory stays bounded
PATIENCE = 2.0  # seconds for a source that is left; one that waits for what never comes ends with the process


@contextmanager
def read_ahead(batches: Iterator[Batch]) -> Iterator[Iterator[Batch]]:
    """The same batches, read by a thread of their own, which must not touch the database.

    What the source raises is raised here, after the batches before it. Leaving early ends the source.
    """
    reader = _Reader(batches)
    reader.start()
    try:
        yield reader.received()
    finally:
        reader.leave()


class _Reader(threading.Thread):
    def __init__(self, batches: Iterator[Batch]) -> None:
        super().__init__(name="usage-source", daemon=True)
        self._batches = batches
        # A batch; None at the end; or what the source raised.
        self._waiting: queue.Queue[Batch | BaseException | None] = queue.Queue(DEPTH)
        self._leaving = threading.Event()

    def run(self) -> None:
        last: BaseException | None = None
        try:
            for batch in self._batches:
                if not self._hand_over(batch):
                    break
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the run
            last = error
        finally:
            if close := getattr(self._batches, "close", None):
                close()
        self._hand_over(last)

    def _hand_over(self, item: Batch | BaseException | None) -> bool:
        """False when nobody waits any more."""
        while not self._leaving.is_set():
            try:
                self._waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def received(self) -> Iterator[Batch]:
        while (item := self._waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def leave(self) -> None:
        self._leaving.set()
        self.join(PATIENCE)
