"""What providers say about payments, refunds and disputes, in one vocabulary. Amounts are whole minor units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from payments.providers.errors import WebhookRejected

LONGEST_TEXT = 255


class Said(StrEnum):
    """Where a payment, refund or dispute stands."""

    PENDING = "pending"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    OPEN = "open"  # of disputes, as are the next two
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class RefundState:
    """``reference`` is our idempotency key when we asked for it, else empty."""

    external_refund_id: str
    reference: str
    amount_minor: int
    said: Said
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DisputeState:
    """Banks may state the amount in another currency than the payment's."""

    external_dispute_id: str
    amount_minor: int
    currency: str
    said: Said
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PaymentState:
    """The provider's whole record of one payment at one moment. ``amount_minor`` is what was captured, or asked for
    before that; ``live`` is False for test money; refunds and disputes are all that exist."""

    said: Said
    external_payment_id: str
    charge_id: str
    reference: str
    amount_minor: int
    currency: str
    live: bool
    method: str = ""
    detail: str = ""
    captured_at: datetime | None = None
    refunds: tuple[RefundState, ...] = ()
    disputes: tuple[DisputeState, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """One verified call: which payment it is about, by any of three ids. ``state`` only from providers whose record
    cannot be read; for the others the call is a hint, and the record is read. ``concerns``: False for other news."""

    event_id: str
    event_type: str
    external_payment_id: str = ""
    charge_id: str = ""
    reference: str = ""
    state: PaymentState | None = None
    concerns: bool = True
    payload: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no database can hold or compare."""
        texts = [self.event_id, self.event_type, self.external_payment_id, self.charge_id, self.reference]
        if self.state is not None:
            texts.append(self.state.currency)
        if not all(isinstance(text, str) and text.isprintable() and len(text) <= LONGEST_TEXT for text in texts):
            raise WebhookRejected("the body holds an id that is too long or not printable")
