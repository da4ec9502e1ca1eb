"""Carries webhook events to our product, as badly as planned: doubled, shuffled, dropped, late, oddly signed."""

from __future__ import annotations

import heapq
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Condition, Lock, Thread

from .fake import Event, Fake

Delivery = tuple[str, bytes, dict[str, str]]
Send = Callable[[str, bytes, dict[str, str]], int]
TRIES = 3
BACK_OFF = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds, in the background


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Providers do not follow: 3xx counts as refused."""

    def redirect_request(self, *asked: object) -> None:
        return None


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)  # whatever proxy the shell names


@dataclass(frozen=True, slots=True)
class Plan:
    """``duplicate`` copies of each event; shares are 0 to 1; ``delay``: up to so many seconds before each call."""

    duplicate: int = 1
    shuffle: bool = False
    drop: float = 0.0
    delay: float = 0.0
    old_secret_share: float = 0.0


class Pump:
    """Every event is taken once; what happens to it then follows the plan and the seed."""

    def __init__(self, fakes: Mapping[str, Fake], seed: int) -> None:
        self._fakes = fakes
        self._seed = seed
        self._taken = dict.fromkeys(fakes, 0)
        self._lock = Lock()
        self._wake = Condition()
        self._stopped = False
        self._thread: Thread | None = None
        self.plan()

    def plan(
        self,
        duplicate: int = 1,
        shuffle: bool = False,
        drop: float = 0.0,
        delay: float = 0.0,
        old_secret_share: float = 0.0,
    ) -> None:
        """From now on; dice start anew from the seed."""
        self._plan = Plan(duplicate, shuffle, drop, delay, old_secret_share)
        self._dice = random.Random(f"{self._seed}:pump")

    def _drain(self, provider: str) -> list[tuple[str, Event, str]]:
        """New events of a provider as (provider, event, secret), multiplied and thinned out."""
        fake, plan = self._fakes[provider], self._plan
        events = fake.events
        new, self._taken[provider] = events[self._taken[provider] :], len(events)
        rows = []
        for event in new:
            for _ in range(plan.duplicate):
                lost, old = self._dice.random() < plan.drop, self._dice.random() < plan.old_secret_share
                if not lost:
                    rows.append((provider, event, fake.old_webhook_secret if old else fake.webhook_secret))
        if plan.shuffle:
            self._dice.shuffle(rows)
        return rows

    def _signed(self, row: tuple[str, Event, str]) -> Delivery:
        provider, event, secret = row
        return (provider, *self._fakes[provider].sign(event, secret))

    def deliveries(self, provider: str) -> list[Delivery]:
        """What would be sent now: (provider, body, headers); the next call knows only newer events."""
        with self._lock:
            return [self._signed(row) for row in self._drain(provider)]

    def deliver(self, send: Send, threads: int = 1) -> list[int]:
        """Send all there is, and what comes of it, in the calling thread or in ``threads`` of them.

        -> the status of every call; up to three tries each until 2xx. A ``send`` that raises counts as 0.
        """
        statuses: list[int] = []
        while rows := self._everything():
            if threads == 1:
                for row in rows:
                    statuses.extend(self._insist(row, send))
            else:
                with ThreadPoolExecutor(threads) as pool:
                    for told in pool.map(lambda row: self._insist(row, send), rows):
                        statuses.extend(told)
        return statuses

    def _everything(self) -> list[tuple[str, Event, str]]:
        with self._lock:
            rows = [row for provider in self._fakes for row in self._drain(provider)]
            if self._plan.shuffle:
                self._dice.shuffle(rows)
            return rows

    def _insist(self, row: tuple[str, Event, str], send: Send) -> list[int]:
        if self._plan.delay:
            with self._lock:
                pause = self._dice.random() * self._plan.delay
            time.sleep(pause)
        statuses = []
        for _ in range(TRIES):
            try:
                statuses.append(send(*self._signed(row)))
            except Exception:
                statuses.append(0)
            if 200 <= statuses[-1] < 300:
                row[1].delivered = True
                break
        return statuses

    # --- in the background

    def to(self, url: str) -> None:
        """From now on POST each event to ``<url><provider>/`` as it happens, with growing pauses until 2xx."""
        self._url = url if url.endswith("/") else f"{url}/"
        if self._thread is None:
            self._thread = Thread(target=self._run, daemon=True)
            self._thread.start()

    def wake(self) -> None:
        with self._wake:
            self._wake.notify_all()

    def close(self) -> None:
        self._stopped = True
        self.wake()

    def _run(self) -> None:
        waiting: list[tuple[float, int, int, tuple[str, Event, str]]] = []  # when, order, tries so far, what
        count = 0
        while not self._stopped:
            for row in self._everything():
                count += 1
                with self._lock:
                    late = self._dice.random() * self._plan.delay
                heapq.heappush(waiting, (time.monotonic() + late, count, 0, row))
            if waiting and waiting[0][0] <= time.monotonic():
                _, number, tries, row = heapq.heappop(waiting)
                if not self._posted(row) and tries < len(BACK_OFF):
                    heapq.heappush(waiting, (time.monotonic() + BACK_OFF[tries], number, tries + 1, row))
                continue
            pause = waiting[0][0] - time.monotonic() if waiting else 1.0
            with self._wake:
                self._wake.wait(min(max(pause, 0.01), 1.0))

    def _posted(self, row: tuple[str, Event, str]) -> bool:
        provider, body, headers = self._signed(row)
        call = urllib.request.Request(f"{self._url}{provider}/", body, headers, method="POST")
        try:
            with DIRECT.open(call, timeout=10) as answer:
                row[1].delivered = 200 <= answer.status < 300
        except (urllib.error.URLError, OSError):
            return False
        return row[1].delivered
