"""What reading a signed call takes, whoever sends it: keyed hashes, their age, and JSON without surprises."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings

from payments.providers.errors import WebhookRejected

LONGEST_TIME = 12  # digits of unix seconds that are still a time


def require_signature(message: bytes, given: Iterable[str], secrets: Iterable[bytes]) -> None:
    """One of the ``given`` hex signatures must be HMAC-SHA256 of ``message`` under one of ``secrets``.

    Raises ``WebhookRejected``. Two secrets are known while one replaces the other.
    """
    sent = [text.encode("ascii", "replace") for text in given]
    good = False
    for secret in secrets:
        wanted = hmac.new(secret, message, hashlib.sha256).hexdigest().encode()
        for each in sent:
            good |= hmac.compare_digest(wanted, each)
    if not good:
        raise WebhookRejected("the signature is missing or wrong")


def require_fresh(timestamp: str, now: datetime) -> None:
    """Unix seconds within ``PAYMENT_WEBHOOK_TOLERANCE_SEC`` of our clock, to both sides."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= LONGEST_TIME):
        raise WebhookRejected("the signature has no time")
    if abs(now.timestamp() - int(timestamp)) > settings.PAYMENT_WEBHOOK_TOLERANCE_SEC:
        raise WebhookRejected("the signature is too old or from the future")


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; no NaN, no name twice, no depth that ends the program."""
    try:
        found = json.loads(body, parse_constant=_refuse, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise WebhookRejected("the body is not JSON of this provider") from error
    if not isinstance(found, dict):
        raise WebhookRejected("the body is not an event of this provider")
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def text_of(value: Any) -> str:
    """``value`` when it is text, else nothing: ids of odd types match nothing."""
    return value if isinstance(value, str) else ""


def secrets_of(*names: str) -> list[bytes]:
    """The webhook secrets of these settings that are set."""
    return [value.encode() for name in names if (value := getattr(settings, name))]
