"""When a payment that failed is tried again, and when nobody tries any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from audit import services as audit
from core.context import Actor
from payments.models import Payment
from payments.payables import payable_of


def retries_at_most() -> int:
    """What a new payment gets, by the site's setting."""
    return len(settings.PAYMENT_RETRY_HOURS)


def after_failure(payment: Payment, now: datetime) -> dict[str, Any]:
    """Columns of a payment that has just failed: its next retry, or that it is given up."""
    if payment.retry_count >= payment.max_retries:
        return {"next_retry_at": None, "gave_up_at": now}
    return {"next_retry_at": now + timedelta(hours=pause(payment.retry_count))}


def note_given_up(actor: Actor, payment: Payment, why: str) -> None:
    """Nobody tries any more: payer and finance see it until the receipt is paid or void."""
    audit.record(
        actor=actor, action="payment_given_up", target=str(payment.pk), entity=payment,
        extra={**payable_of(payment).facts, "retries": payment.retry_count, "why": why},
    )  # fmt: skip


def pause(retries_so_far: int) -> int:
    """Hours until the next retry; after the last number of the setting each pause doubles."""
    hours: list[int] = settings.PAYMENT_RETRY_HOURS or [24]
    if retries_so_far < len(hours):
        return hours[retries_so_far]
    return min(hours[-1] << (retries_so_far - len(hours) + 1), 24 * 28)
