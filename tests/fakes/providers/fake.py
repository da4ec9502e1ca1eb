"""What the three providers share: keys, a lock, things that exist, events and the way of a request."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, ClassVar

from .faults import Faults
from .ids import Ids
from .wire import Refused, Reply, Request, Route, json_reply

Json = dict[str, Any]


@dataclass(slots=True)
class Event:
    """One webhook call as the provider would send it: ``payload`` is its whole JSON, ``created`` unix seconds."""

    id: str
    type: str
    payload: Json
    created: int
    delivered: bool = field(default=False, compare=False)


class Fake:
    """Base of a provider. State lives in dicts by id, in the shape of the provider's own JSON; one lock guards all."""

    name: ClassVar[str]
    routes: ClassVar[Sequence[Route]]
    pages: ClassVar[tuple[str, ...]] = ()
    webhook_secret: str
    old_webhook_secret: str

    def __init__(self, seed: int, run: str = "") -> None:
        self.ids = Ids(f"{seed}:{self.name}:{run}")
        self.secrets = Ids(f"{seed}:{self.name}:secrets")
        self.lock = RLock()
        self.faults = Faults()
        self.url = ""
        self.live = False
        self.refunds_pending = False
        self.latency = 0.0  # seconds a call takes before it executes; its idempotency key is "running" meanwhile
        self.refunds: dict[str, Json] = {}
        self.disputes: dict[str, Json] = {}
        self.on_event: Callable[[], None] = lambda: None
        self._events: list[Event] = []
        self._requests: list[tuple[str, str, dict[str, str], bytes]] = []

    # --- what tests read

    @property
    def events(self) -> list[Event]:
        with self.lock:
            self.tick()
            return list(self._events)

    @property
    def requests(self) -> list[tuple[str, str, dict[str, str], bytes]]:
        """(method, path with query, headers, body) of every API call, in order of arrival."""
        with self.lock:
            return list(self._requests)

    def objects(self, kind: str) -> list[Json]:
        """Copies of what exists: "checkouts", "charges", "refunds" or "disputes", oldest first."""
        with self.lock:
            self.tick()
            return copy.deepcopy(list(self.shelf(kind).values()))

    def shelf(self, kind: str) -> dict[str, Json]:
        return {"refunds": self.refunds, "disputes": self.disputes}[kind]

    # --- the way of a request

    def is_api(self, request: Request) -> bool:
        return not request.path.startswith(self.pages)

    def note(self, request: Request) -> None:
        with self.lock:
            self._requests.append((request.method, request.target, request.headers, request.body))

    def answer(self, request: Request) -> Reply:
        try:
            for route in self.routes:
                groups = route.match(request.method, request.path)
                if groups is None:
                    continue
                if not route.public:
                    self.authenticate(request)
                return self.execute(request, lambda run=route.run, found=groups: run(self, request, **found))
            return self.lost(request)
        except Refused as refused:
            return self.error(refused)

    def execute(self, request: Request, run: Callable[[], Any]) -> Reply:
        """Do it under the lock. A fault of 500 replaces the answer of what was really done."""
        if self.latency:
            time.sleep(self.latency)
        with self.lock:
            self.tick()
            done = run()
            reply = done if isinstance(done, Reply) else json_reply(done)
        return self.trouble(500) if request.fault == "500_after" else reply

    def tick(self) -> None:
        """Let time pass: what is past its hour expires."""

    def authenticate(self, request: Request) -> None:
        raise NotImplementedError

    def error(self, refused: Refused) -> Reply:
        """The refusal in the provider's own format."""
        raise NotImplementedError

    def lost(self, request: Request) -> Reply:
        """No such route."""
        raise NotImplementedError

    def trouble(self, status: int) -> Reply:
        """429, 500 or 503 in the provider's own format."""
        raise NotImplementedError

    # --- events

    def now(self) -> int:
        return int(time.time())

    def record(self, event: Event) -> Event:
        with self.lock:
            self._events.append(event)
        self.on_event()
        return event

    def sign(
        self,
        payload: Event | Json,
        secret: str | Sequence[str] | None = None,
        timestamp: int | None = None,
    ) -> tuple[bytes, dict[str, str]]:
        """Body and headers as the provider would send them. Several secrets: as during a rotation, if it does that."""
        raise NotImplementedError


def found(shelf: dict[str, Json], key: str, what: str) -> Json:
    """The thing itself, for what tests do; KeyError names it."""
    if key not in shelf:
        raise KeyError(f"no such {what}: {key}")
    return shelf[key]
