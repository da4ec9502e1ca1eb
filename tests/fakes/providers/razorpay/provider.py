"""The Razorpay server: keys, errors, refund idempotency, signatures."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from tests.fakes.providers.fake import Event, Json
from tests.fakes.providers.wire import Refused, Reply, Request, json_reply

from . import api, pages
from .money_back import MoneyBack


class Razorpay(MoneyBack):
    """``key_id`` and ``key_secret`` are asked for as HTTP Basic."""

    name = "razorpay"
    routes = (*api.ROUTES, *pages.ROUTES)
    pages = ("/v1/checkout/", "/submit.js")

    def __init__(self, seed: int, run: str = "") -> None:
        super().__init__(seed, run)
        self.key_id = "rzp_test_local"
        self.key_secret = self.secrets.make("", 24)
        self.webhook_secret = self.secrets.make("hook-", 24)
        self.old_webhook_secret = self.secrets.make("hook-", 24)
        self._guard = Lock()
        self._kept: dict[str, tuple[str, Reply | None]] = {}  # by refund key; None: running

    def authenticate(self, request: Request) -> None:
        if request.basic() != (self.key_id, self.key_secret):
            raise Refused(401, "Authentication failed")

    def execute(self, request: Request, run: Callable[[], Any]) -> Reply:
        key = request.header("X-Refund-Idempotency") if request.path.endswith("/refund") else ""
        if not key:
            return super().execute(request, run)
        stored = self._begin(key, request)
        if stored is not None:
            return stored
        try:
            reply = super().execute(request, run)
        except BaseException:
            with self._guard:
                self._kept.pop(key, None)
            raise
        with self._guard:
            self._kept[key] = (self._kept[key][0], reply)
        return reply

    def _begin(self, key: str, request: Request) -> Reply | None:
        """A stored answer; None: go on. Only what succeeded, or failed after it ran, is kept."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{10,}", key):
            raise Refused(400, "The idempotency key must be at least 10 characters: letters, digits, - and _.")
        asked = json.dumps([request.path, request.params], sort_keys=True)
        with self._guard:
            if key not in self._kept:
                self._kept[key] = (asked, None)
                return None
            first, reply = self._kept[key]
        if first != asked:
            raise Refused(400, "Different request body sent for the same idempotency key.")
        if reply is None:
            raise Refused(409, "Another request with the same idempotency key is in progress.")
        return reply

    def error(self, refused: Refused) -> Reply:
        known = {
            "code": refused.details.get("code", "BAD_REQUEST_ERROR"),
            "description": refused.message,
            "source": "business",
            "step": "payment_initiation",
            "reason": "input_validation_failed",
            "metadata": {},
        }
        if "field" in refused.details:
            known["field"] = refused.details["field"]
        return json_reply({"error": known}, refused.status)

    def lost(self, request: Request) -> Reply:
        return self.error(Refused(404, "The requested URL was not found on the server."))

    def trouble(self, status: int) -> Reply:
        if status == 429:
            return self.error(Refused(429, "Request failed. Please try after sometime."))
        return self.error(Refused(status, "The server encountered an error.", code="SERVER_ERROR"))

    def signature(self, order_id: str, payment_id: str) -> str:
        """What the browser brings back to the shop: hex HMAC-SHA256 of "order|payment"."""
        return hmac.new(self.key_secret.encode(), f"{order_id}|{payment_id}".encode(), hashlib.sha256).hexdigest()

    def sign(
        self, payload: Event | Json, secret: str | Sequence[str] | None = None, timestamp: int | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """The signature covers the body alone: neither the event id nor a time. One secret only."""
        event = payload if isinstance(payload, Event) else Event(self.new_id(""), "", payload, self.now())
        body = json.dumps(event.payload, separators=(",", ":"), ensure_ascii=False).encode()
        key = secret if isinstance(secret, str) else (secret or [self.webhook_secret])[0]
        return body, {
            "Content-Type": "application/json",
            "User-Agent": "Razorpay-Webhook/v1",
            "X-Razorpay-Signature": hmac.new(key.encode(), body, hashlib.sha256).hexdigest(),
            "x-razorpay-event-id": event.id,
        }
