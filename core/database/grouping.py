"""Group commit: what many threads of this process want done at the same time is done in one go by one of them.

Databases write their log so (a leader flushes for all who wait). Whoever comes first leads and starts at once: nobody
waits for company. What comes meanwhile is the next group, led by the first that waits.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar, cast

from django.utils.translation import gettext as _

from core.errors import Unavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")


class GroupFailed(Exception):
    """The group was not done, or nobody knows: do this item by itself, in a way that may be repeated."""


class _State(Enum):
    WAITING = auto()
    LEADS = auto()  # still in the queue, and woken up to take it
    TAKEN = auto()
    DONE = auto()
    FAILED = auto()


@dataclass(eq=False, slots=True)
class _Ticket(Generic[T, R]):
    item: T
    state: _State = _State.WAITING
    result: R | None = None
    turn: threading.Event = field(default_factory=threading.Event)


class Groups(Generic[T, R]):
    """``work`` does a list of items, whole or not at all, and returns a result for each, in their order.

    ``patience``: seconds after which an item that no group took goes by itself; ``longest``: seconds after which one
    that a group took is given up (``Unavailable``: it may have been done).
    """

    def __init__(
        self, work: Callable[[list[T]], list[R]], *, most: int = 500, patience: float = 5, longest: float = 30
    ) -> None:
        self._work, self._most, self._patience, self._longest = work, most, patience, longest
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket[T, R]] = deque()
        self._led = False

    def submit(self, item: T) -> R:
        """Raises ``GroupFailed`` or ``Unavailable``; never returns before ``work`` has returned for this item."""
        ticket: _Ticket[T, R] = _Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
            if not self._led:
                self._led, ticket.state = True, _State.LEADS
        if ticket.state is not _State.LEADS:
            self._wait(ticket)
        if ticket.state is _State.LEADS:
            self._lead()
        if ticket.state is not _State.DONE:
            raise GroupFailed
        return cast(R, ticket.result)

    def _wait(self, ticket: _Ticket[T, R]) -> None:
        try:
            if ticket.turn.wait(self._patience):
                return
            with self._lock:
                if ticket.state is _State.WAITING:
                    self._waiting.remove(ticket)
                    ticket.state = _State.FAILED
            if ticket.state is _State.TAKEN and not ticket.turn.wait(self._longest):
                raise Unavailable(_("This takes too long. It may have been done all the same: send it again."))
        except BaseException:
            self._leave(ticket)
            raise

    def _lead(self) -> None:
        with self._lock:
            group = [self._waiting.popleft() for _each in range(min(len(self._waiting), self._most))]
            for ticket in group:
                ticket.state = _State.TAKEN
        try:
            results = self._work([ticket.item for ticket in group])
            for ticket, result in zip(group, results, strict=True):
                ticket.result = result
            for ticket in group:
                ticket.state = _State.DONE
        except Exception:
            logger.warning("a group of %d could not be done together: each goes by itself", len(group), exc_info=True)
        finally:  # also when this thread is ended
            for ticket in group:
                if ticket.state is _State.TAKEN:
                    ticket.state = _State.FAILED
            self._pass_on()
            for ticket in group:
                ticket.turn.set()

    def _pass_on(self) -> None:
        with self._lock:
            self._led = bool(self._waiting)
            if not self._led:
                return
            first = self._waiting[0]
            first.state = _State.LEADS
        first.turn.set()

    def _leave(self, ticket: _Ticket[T, R]) -> None:
        """A thread that ends while it waits must neither be waited for nor lead."""
        with self._lock:
            led = ticket.state is _State.LEADS
            if led or ticket.state is _State.WAITING:
                self._waiting.remove(ticket)
        if led:
            self._pass_on()
