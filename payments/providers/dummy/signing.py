"""Signature of the dummy provider's webhooks.

Header ``Dummy-Signature: t=<unix seconds>,v1=<hex>``; v1 is HMAC-SHA256 over
``<t>.<raw body>`` with ``PAYMENT_WEBHOOK_SECRET``.
"""

from __future__ import annotations

import hashlib
import hmac
import re

HEADER = "Dummy-Signature"
_FORM = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})\Z")


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """The header's value."""
    return f"t={timestamp},v1={_digest(body, secret, timestamp)}"


def verify(body: bytes, header: str, secret: str, now: int, tolerance: int) -> str:
    """Empty when the signature is good and its time within ``tolerance`` seconds of ``now``; else why not."""
    match = _FORM.match(header)
    if match is None:
        return "the signature header is missing or malformed"
    timestamp = int(match[1])
    if not hmac.compare_digest(match[2], _digest(body, secret, timestamp)):
        return "the signature is wrong"
    if abs(now - timestamp) > tolerance:
        return "the signature is too old or from the future"
    return ""


def _digest(body: bytes, secret: str, timestamp: int) -> str:
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
