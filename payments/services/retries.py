"""Failed collections: after 24, 48 and 96 hours (or the site's numbers) the payer gets a new checkout."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit import services as audit
from core.context import SYSTEM, Actor
from core.errors import AppError, BadInput, Busy, Conflict, Misconfigured, Unavailable
from payments.models import (
    OPEN_STATUSES,
    AttemptOutcome,
    Payment,
    PaymentAttempt,
    PaymentStatus,
)
from payments.payables import payable_of
from payments.services.checkout import start_payment
from payments.services.schedule import after_failure, note_given_up
from payments.services.sync import sync_payment

LIMIT = 30  # retries that anybody may set
LEASE = timedelta(minutes=10)  # a run that died frees its payment after this


def retry_due(*, now: datetime | None = None, limit: int = 1000) -> dict[str, int]:
    """Try every failed payment whose time has come. Returns how many ended in which outcome."""
    due = Payment.objects.filter(status=PaymentStatus.FAILED, next_retry_at__lte=now or timezone.now())
    counts: dict[str, int] = {}
    for payment in due.order_by("next_retry_at", "id")[:limit]:
        outcome = retry_payment(actor=SYSTEM, payment=payment)
        if outcome is not None:
            counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def retry_payment(*, actor: Actor, payment: Payment) -> AttemptOutcome | None:
    """Open a new checkout for a failed payment, unless its money came after all or nobody waits for it.

    None: another run has it. An unreachable provider costs no try; the next run asks again.
    """
    if payment.status != PaymentStatus.FAILED:
        raise Conflict(_("Payment %(payment)s is %(status)s; there is nothing to try again.")
                       % {"payment": payment, "status": payment.get_status_display()})  # fmt: skip
    due = payment.next_retry_at  # kept: reading the provider's record refreshes the row
    taken = Payment.objects.filter(pk=payment.pk, status=PaymentStatus.FAILED, next_retry_at=due).update(
        next_retry_at=timezone.now() + LEASE
    )
    if not taken:
        return None
    try:
        return _try(actor, payment)
    except AppError as error:  # no answer, another request is at it, or the provider is not set up any more
        Payment.objects.filter(pk=payment.pk, status=PaymentStatus.FAILED).update(next_retry_at=due)
        return _note(actor, payment, AttemptOutcome.UNREACHABLE, error.message)


def _try(actor: Actor, payment: Payment) -> AttemptOutcome:
    known = sync_payment(payment)
    if known.payment.status != PaymentStatus.FAILED:
        return _note(actor, payment, AttemptOutcome.SETTLED, f"it is {known.payment.status}")
    target = payable_of(payment)
    target.refresh()
    others = target.payments().filter(status__in=(*OPEN_STATUSES, PaymentStatus.NEEDS_REVIEW))
    others = others.exclude(retry_of=payment, external_payment_id="")  # our own try, whose answer was lost
    if not target.waits or others.exists():
        return _note(actor, payment, AttemptOutcome.NOT_NEEDED, f"the {target.kind} is {target.status}")
    try:
        new = start_payment(
            actor=actor, **target.fields, amount=min(payment.amount, target.due), provider_name=payment.provider,
            method_name=payment.method, retry_of=payment,
        )  # fmt: skip
    except (Unavailable, Busy, Misconfigured):
        raise
    except AppError as error:  # this way to pay is no more, or does not take the amount
        return _note(actor, payment, AttemptOutcome.REFUSED, error.message)
    return _note(actor, payment, AttemptOutcome.OPENED, "", new)


@transaction.atomic
def _note(
    actor: Actor, payment: Payment, outcome: AttemptOutcome, detail: str, new: Payment | None = None
) -> AttemptOutcome:
    PaymentAttempt.objects.create(
        payment=payment, number=payment.retry_count + 1, attempted_at=timezone.now(), outcome=outcome,
        detail=detail[:255], new_payment=new,
    )  # fmt: skip
    audit.record(
        actor=actor, action="payment_retry", target=str(payment.pk), entity=payment,
        extra={"outcome": outcome, "detail": detail, **({"new_payment": new.pk} if new else {})},
    )  # fmt: skip
    if outcome != AttemptOutcome.UNREACHABLE:
        Payment.objects.filter(pk=payment.pk, status=PaymentStatus.FAILED).update(next_retry_at=None)
    if outcome == AttemptOutcome.REFUSED:
        Payment.objects.filter(pk=payment.pk).update(gave_up_at=timezone.now())
        note_given_up(actor, payment, detail)
    return outcome


@transaction.atomic
def set_retries(*, actor: Actor, payment: Payment, max_retries: int) -> Payment:
    """Change how often one payment is tried again; 0 stops it. Raises ``BadInput`` and ``Conflict``."""
    if not 0 <= max_retries <= LIMIT:
        raise BadInput(_("Between 0 and %(most)d retries.") % {"most": LIMIT}, field="max_retries")
    held = Payment.objects.select_for_update().get(pk=payment.pk)
    if held.status == PaymentStatus.SUCCEEDED:
        raise Conflict(_("Payment %(payment)s is %(status)s; there is nothing to try again.")
                       % {"payment": held, "status": held.get_status_display()})  # fmt: skip
    before, held.max_retries = held.max_retries, max_retries
    values: dict[str, Any] = {"max_retries": max_retries}
    if held.status == PaymentStatus.FAILED:
        values |= {"gave_up_at": None, **after_failure(held, timezone.now())}
    Payment.objects.filter(pk=held.pk).update(**values)
    audit.record(
        actor=actor, action="payment_retry_set", target=str(held.pk), entity=held,
        changes={"max_retries": [before, max_retries]},
    )  # fmt: skip
    held.refresh_from_db()
    return held
