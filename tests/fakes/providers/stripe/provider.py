"""The Stripe server: keys, errors, idempotency, signatures."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.fakes.providers.fake import Event, Json
from tests.fakes.providers.wire import Refused, Reply, Request, json_reply

from . import api, pages
from .idempotency import Keys
from .money_back import MoneyBack


class Stripe(MoneyBack):
    """``secret_key`` is asked for as Bearer, or as the user of HTTP Basic."""

    name = "stripe"
    routes = (*api.ROUTES, *pages.ROUTES)
    pages = ("/c/pay/",)

    def __init__(self, seed: int, run: str = "") -> None:
        super().__init__(seed, run)
        self.secret_key = "sk_test_local"
        self.webhook_secret = self.secrets.make("whsec_", 32)
        self.old_webhook_secret = self.secrets.make("whsec_", 32)
        self.keys = Keys()

    def authenticate(self, request: Request) -> None:
        given = request.header("Authorization").removeprefix("Bearer ").strip()
        if self.secret_key not in (given, request.basic()[0]):
            raise Refused(401, f"Invalid API Key provided: {given[:12]}****", type="invalid_request_error")

    def execute(self, request: Request, run: Callable[[], Any]) -> Reply:
        key = request.header("Idempotency-Key") if request.method == "POST" else ""
        if not key:
            return self._run(request, key, run)
        stored = self.keys.begin(key, request, self.now())
        if stored is not None:
            return stored
        try:
            reply = self._run(request, key, run)
        except Refused as refused:
            reply = self.error(refused)
            if not refused.stored:
                self.keys.forget(key)
                return reply
        except BaseException:
            self.keys.forget(key)
            raise
        self.keys.keep(key, reply)
        return reply

    def _run(self, request: Request, key: str, run: Callable[[], Any]) -> Reply:
        """Events name the request that caused them."""
        name = self.ids.make("req_", 14)

        def told() -> Any:
            self.request_id, self.idempotency_key = name, key or None
            try:
                return run()
            finally:
                self.request_id = self.idempotency_key = None

        reply = super().execute(request, told)
        reply.headers["Request-Id"] = name
        return reply

    def error(self, refused: Refused) -> Reply:
        known = {"message": refused.message, "type": "invalid_request_error"} | refused.details
        reply = json_reply(
            {"error": {name: value for name, value in known.items() if value is not None}}, refused.status
        )
        if refused.status == 409:
            reply.headers["Stripe-Should-Retry"] = "true"
        reply.headers["Request-Id"] = self.ids.make("req_", 14)
        return reply

    def lost(self, request: Request) -> Reply:
        text = f"Unrecognized request URL ({request.method}: {request.path})."
        return self.error(Refused(404, text))

    def trouble(self, status: int) -> Reply:
        if status == 429:
            return self.error(Refused(429, "Too many requests hit the API too quickly.", code="rate_limit"))
        return self.error(Refused(status, "An unknown error occurred.", type="api_error"))

    def sign(
        self, payload: Event | Json, secret: str | Sequence[str] | None = None, timestamp: int | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """``Stripe-Signature: t=...,v1=...``, one v1 for each secret."""
        body = json.dumps(payload.payload if isinstance(payload, Event) else payload, indent=2, ensure_ascii=False)
        moment = self.now() if timestamp is None else timestamp
        secrets = [secret] if isinstance(secret, str) else list(secret or [self.webhook_secret])
        message = f"{moment}.{body}".encode()
        signatures = [hmac.new(one.encode(), message, hashlib.sha256).hexdigest() for one in secrets]
        return body.encode(), {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": ",".join([f"t={moment}", *(f"v1={one}" for one in signatures)]),
        }
