"""The Omise server: keys, errors, signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence

from tests.fakes.providers.fake import Event, Json
from tests.fakes.providers.wire import Refused, Reply, Request, json_reply

from . import api, pages
from .money_back import MoneyBack


class Omise(MoneyBack):
    """``secret_key`` is asked for as the user of HTTP Basic. Webhook secrets are base64 of 32 bytes."""

    name = "omise"
    routes = (*api.ROUTES, *pages.ROUTES)
    pages = ("/l/", "/pay/")

    def __init__(self, seed: int, run: str = "") -> None:
        super().__init__(seed, run)
        self.secret_key = "skey_test_local"
        self.promptpay_minimum = 2000  # satang; the real one differs by account
        self.webhook_secret = base64.b64encode(self.secrets.make("", 32).encode()).decode()
        self.old_webhook_secret = base64.b64encode(self.secrets.make("", 32).encode()).decode()

    def authenticate(self, request: Request) -> None:
        if request.basic()[0] != self.secret_key:
            raise Refused(401, "authentication failed", code="authentication_failure")

    def error(self, refused: Refused) -> Reply:
        code = refused.details.get("code", "bad_request")
        location = f"https://www.omise.co/api-errors#{code.replace('_', '-')}"
        told = {"object": "error", "location": location, "code": code, "message": refused.message}
        return json_reply(told, refused.status)

    def lost(self, request: Request) -> Reply:
        return self.error(Refused(404, f"the requested object was not found: {request.path}", code="not_found"))

    def trouble(self, status: int) -> Reply:
        codes = {429: "too_many_requests", 503: "service_unavailable"}
        return self.error(Refused(status, "please try again later", code=codes.get(status, "internal_error")))

    def sign(
        self, payload: Event | Json, secret: str | Sequence[str] | None = None, timestamp: int | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """Hex HMAC of "timestamp.body" with the decoded secret; several secrets: comma-separated, as while rotating."""
        inner = payload.payload if isinstance(payload, Event) else payload
        body = json.dumps(inner, separators=(",", ":"), ensure_ascii=False).encode()
        moment = str(self.now() if timestamp is None else timestamp)
        secrets = [secret] if isinstance(secret, str) else list(secret or [self.webhook_secret])
        message = moment.encode() + b"." + body
        signatures = [hmac.new(base64.b64decode(one), message, hashlib.sha256).hexdigest() for one in secrets]
        return body, {
            "Content-Type": "application/json",
            "User-Agent": "Omise/2019-05-29",
            "Omise-Signature": ",".join(signatures),
            "Omise-Signature-Timestamp": moment,
        }
