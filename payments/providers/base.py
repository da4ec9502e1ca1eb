"""The contract between us and whoever moves the money.

A provider is one class in ``payments/providers/<name>/provider.py``, named in the
setting ``PAYMENT_PROVIDERS``. It turns our amounts into a checkout page of theirs,
and their signed calls into a ``ProviderEvent``. It never touches the database:
``payments.services.settlement`` is the only writer of payment state, and believes
an event only after amount, currency, mode and reference match our own row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from core.errors import AppError, Unavailable


class ProviderError(Unavailable):
    """The provider could not be reached or answered nonsense; the outcome may be unknown. Safe to try again."""

    code = "provider_unavailable"


class WebhookRejected(AppError):
    """The call is not from the provider, too old, or not in its format: nothing in it is believed."""

    code = "webhook_rejected"
    http_status = 400


LONGEST_TEXT = 255


class Said(StrEnum):
    """What an event says about a payment."""

    SUCCEEDED = "succeeded"
    AUTHORIZED = "authorized"
    FAILED = "failed"
    CANCELED = "canceled"
    NOTHING = "nothing"  # an event of no interest to us


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """``reference`` is our idempotency key: the provider must carry it and answer a repeat with the same checkout.

    ``amount_minor`` is in minor units (satang) of ``currency`` (ISO 4217).
    """

    reference: str
    amount_minor: int
    currency: str
    description: str
    success_url: str
    cancel_url: str
    language: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """``external_payment_id`` is unique per provider; ``url`` is where the payer goes."""

    external_payment_id: str
    url: str


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """One verified call. ``live`` is False for test money. Amounts are integers in minor units."""

    event_id: str
    event_type: str
    said: Said
    external_payment_id: str
    reference: str
    amount_minor: int
    currency: str
    live: bool
    payload: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no database can hold or compare."""
        texts = (self.event_id, self.event_type, self.external_payment_id, self.reference, self.currency)
        if not all(text.isprintable() and len(text) <= LONGEST_TEXT for text in texts):
            raise WebhookRejected("the body holds an id that is too long or not printable")


class PaymentProvider(Protocol):
    """Made anew for each use; configuration comes from settings and is checked in ``__init__``
    (raise ``core.errors.Misconfigured``, naming the variable)."""

    name: ClassVar[str]
    live: bool

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """Open a checkout. Called outside any transaction; use explicit timeouts. Raises ``ProviderError``."""
        ...

    def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> ProviderEvent:
        """Verify signature and age of the raw body, then read it. Raises ``WebhookRejected`` for anything odd,
        and nothing else, whatever the bytes."""
        ...
