"""Stripe's memory of idempotency keys: the first answer is the answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from threading import Lock

from tests.fakes.providers.wire import Refused, Reply, Request

KEPT_FOR = 24 * 3600


@dataclass(slots=True)
class Kept:
    """``reply`` is None while the first call is still running; ``created`` unix seconds."""

    asked: str
    created: int
    reply: Reply | None = None


class Keys:
    """``begin`` before a call, then ``keep`` its answer or ``forget`` it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, Kept] = {}

    def begin(self, key: str, request: Request, now: int) -> Reply | None:
        """A stored answer to give again; None: go on. Refused for other parameters or a call still running."""
        if len(key) > 255:
            raise Refused(400, "Idempotency keys are at most 255 characters.", type="invalid_request_error")
        asked = json.dumps([request.method, request.path, request.params], sort_keys=True)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.created + KEPT_FOR <= now:
                self._kept[key] = Kept(asked, now)
                return None
            if kept.asked != asked:
                text = (
                    "Keys for idempotent requests can only be used with the same parameters they were first used with."
                )
                raise Refused(400, f"{text} Try using a key other than '{key}'.", type="idempotency_error")
            if kept.reply is None:
                text = "There is currently another in-progress request using this Idempotent Key."
                raise Refused(409, text, type="invalid_request_error", code="idempotency_key_in_use")
            headers = {**kept.reply.headers, "Idempotent-Replayed": "true"}
            return Reply(kept.reply.status, kept.reply.body, headers)

    def keep(self, key: str, reply: Reply) -> None:
        with self._lock:
            self._kept[key].reply = reply

    def forget(self, key: str) -> None:
        with self._lock:
            self._kept.pop(key, None)
