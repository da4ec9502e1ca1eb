"""The contract between us and whoever moves the money.

A provider is one class in ``payments/providers/<name>/provider.py``, named in ``PAYMENT_PROVIDERS``. It never touches
the database. Only ``services.settlement`` writes payment state; it believes a ``PaymentState`` only when amount,
currency, mode and reference match our row. Amounts are minor units (satang); every call out has explicit timeouts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from django.utils.functional import Promise

from payments.providers.errors import Refused, WebhookRejected
from payments.providers.limits import Method
from payments.providers.states import PaymentState, ProviderEvent, RefundState


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    reference: str  # our stored idempotency key
    method: str
    amount_minor: int
    currency: str
    description: str
    success_url: str
    cancel_url: str
    language: str
    asked_before: bool = False  # an earlier reply was lost: look before creating


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where the payer goes: ``url`` (posting ``form`` when there is one), or a QR code on our own page."""

    external_payment_id: str  # unique per provider
    url: str = ""
    form: Mapping[str, str] = field(default_factory=dict)
    qr_svg: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """What we know of a payment when we ask about it; ids are empty until the provider has told them."""

    external_payment_id: str
    charge_id: str
    reference: str
    method: str
    amount_minor: int
    currency: str
    created_at: datetime
    captured: bool = False  # its money is in our books: refunds and disputes may exist that its record does not show


@dataclass(frozen=True, slots=True)
class RefundRequest:
    reference: str  # the refund's own stored idempotency key
    amount_minor: int
    reason: str
    asked_before: bool = False


class PaymentProvider(ABC):
    """Made anew for each use; ``__init__`` checks its settings and raises ``Misconfigured``, naming the variable.
    Methods raise ``ProviderError`` when the outcome is unknown (safe to repeat with the same reference) and
    ``Refused`` when nothing happened. What a provider lacks keeps the answer given here."""

    name: ClassVar[str]
    label: ClassVar[str | Promise]
    live: bool = False  # False: test money
    takes_excess: ClassVar[bool] = False  # True: more than was asked still pays, the rest is a credit
    captures: ClassVar[bool] = True  # False: money is only authorised until we take it
    fetches: ClassVar[bool] = True  # False: there is no record to read, its signed events are all there is

    @abstractmethod
    def methods(self) -> tuple[Method, ...]:
        """What payers may choose, the usual one first."""

    @abstractmethod
    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """Open a checkout, or find the one that this reference has opened already. Called outside transactions."""

    def find(self, ref: Ref) -> PaymentState | None:
        """The provider's record of a payment, by its id or, when we never learnt that, by our reference."""
        return None

    def cancel(self, ref: Ref) -> bool:
        """Close an open checkout so that nobody can pay it any more; False when that cannot be promised."""
        return False

    def capture(self, ref: Ref) -> None:
        """Take authorised money. A repeat does no harm."""
        raise Refused("this provider takes the money by itself")

    def refund(self, ref: Ref, request: RefundRequest) -> RefundState:
        """Give money back."""
        raise Refused("this provider gives no money back by itself")

    def settled(self, start: datetime, end: datetime) -> Iterable[PaymentState]:
        """Everything captured from ``start`` until before ``end``, to compare with our books."""
        return ()

    def read_return(self, fields: Mapping[str, str]) -> str:
        """The payment's id, of a form that the provider's page posts through the payer's browser."""
        raise WebhookRejected("this provider posts nothing back")

    def verify(self, body: bytes, headers: Mapping[str, str], now: datetime) -> tuple[str, Mapping[str, Any]]:
        """Check signature and age of a raw call; its event id and payload. Raises only ``WebhookRejected``, always."""
        raise WebhookRejected("this provider sends no calls")

    def read_event(self, event_id: str, payload: Mapping[str, Any]) -> ProviderEvent:
        """Which payment a verified payload is about; raises ``WebhookRejected`` when it is not in the format."""
        raise WebhookRejected("this provider sends no calls")
