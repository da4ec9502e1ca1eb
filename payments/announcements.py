"""What customers' programs are told of payments and refunds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.services.announcements import Announcement, announce
from accounts.services.outbox import site_url
from core.money import from_minor, places
from payments.models import Payment, PaymentStatus, Refund
from payments.payables import payable_of

SUCCEEDED, FAILED, REFUNDED = "payment.succeeded", "payment.failed", "refund.succeeded"
KINDS = {
    SUCCEEDED: _("Payment succeeded"),
    FAILED: _("Payment failed"),
    REFUNDED: _("Money given back"),
}
_TOLD = {PaymentStatus.SUCCEEDED: SUCCEEDED, PaymentStatus.FAILED: FAILED}


def tell_of_payment(payment: Payment) -> None:
    """In the caller's transaction; nothing for states that nobody asked about."""
    kind = _TOLD.get(PaymentStatus(payment.status))
    if kind:
        _tell(kind, payment, partial(payment_payload, payment))


def tell_of_refund(payment: Payment, refund: Refund) -> None:
    """Of one that is done."""
    _tell(REFUNDED, payment, partial(refund_payload, payment, refund))


def _tell(kind: str, payment: Payment, data: Callable[[], dict[str, Any]]) -> None:
    """Of an invoice to its organisation, of a receipt to its user."""
    invoice = payment.invoice
    organisation = invoice.organisation_id if invoice else None
    announce([Announcement(kind, data, organisation, None if invoice else payment.username)])


def refund_payload(payment: Payment, refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.pk,
        "amount": minor_text(refund.amount_cents, payment.currency),
        "currency": payment.currency,
        "reason": refund.reason,
        "settled_at": refund.settled_at,
        "payment": payment_payload(payment),
    }


def payment_payload(payment: Payment) -> dict[str, Any]:
    """``amount`` was asked for, ``received`` came, ``given_back`` went; decimal text. ``receipt`` or ``invoice`` is
    null."""
    invoice, currency = payment.invoice, payment.currency
    return {
        "id": payment.pk,
        "receipt": payment.receipt_id,
        "invoice": str(invoice.uuid) if invoice else None,
        "number": str(payment.document),
        "organisation": str(invoice.organisation.uuid) if invoice else None,
        "username": payment.username,
        "status": payment.status,
        "provider": payment.provider,
        "method": payment.method,
        "currency": currency,
        "amount": minor_text(payment.amount_cents, currency),
        "received": minor_text(payment.captured_cents, currency),
        "given_back": minor_text(payment.refunded_cents, currency),
        "failure": payment.failure,
        "retry_of": payment.retry_of_id,
        "next_retry_at": payment.next_retry_at,
        "paid_at": payment.paid_at,
        "url": site_url(payable_of(payment).url),
    }


def minor_text(minor: int, currency: str) -> str:
    return f"{from_minor(minor, currency):.{places(currency)}f}"
