"""Reading the provider's record of a payment, and following it. Outside calls stand outside every transaction."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from core.context import Actor
from payments import providers
from payments.models import EventOutcome, Payment, PaymentStatus
from payments.payables import payable_of
from payments.providers.base import PaymentProvider
from payments.providers.errors import NotThere
from payments.providers.states import PaymentState
from payments.selectors import ref_of
from payments.services.settlement import Applied, apply_state


@dataclass(frozen=True, slots=True)
class Synced:
    """``found`` is False when the provider has no record (or keeps none that can be read)."""

    payment: Payment
    found: bool
    applied: Applied


_NO_RECORD = Applied(EventOutcome.IGNORED, "the provider has no record of it")


def sync_payment(payment: Payment, *, actor: Actor | None = None) -> Synced:
    """Make ``payment`` follow the provider's record as it is now; take authorised money that is waited for.

    Raises ``ProviderError``, and ``Misconfigured`` when the provider is not set up any more.
    """
    provider = providers.provider(payment.provider)
    state = _record(provider, payment)
    Payment.objects.filter(pk=payment.pk).update(checked_at=timezone.now())
    if state is None:
        payment.refresh_from_db()
        return Synced(payment, False, _NO_RECORD)
    applied = apply_state(provider=provider, payment=payment, state=state, actor=actor)
    if payment.status == PaymentStatus.AUTHORIZED:
        return _capture(provider, payment, actor)
    return Synced(payment, True, applied)


def _record(provider: PaymentProvider, payment: Payment) -> PaymentState | None:
    if not provider.fetches:
        return None
    try:
        return provider.find(ref_of(payment))
    except NotThere:
        return None


def _capture(provider: PaymentProvider, payment: Payment, actor: Actor | None) -> Synced:
    """``settlement`` lets a payment become authorised only while it is waited for and no other is open."""
    target = payable_of(payment)
    if not target.waits:
        return Synced(payment, True, Applied(EventOutcome.IGNORED, f"the {target.kind} is {target.status}"))
    provider.capture(ref_of(payment))
    state = provider.find(ref_of(payment))
    applied = apply_state(provider=provider, payment=payment, state=state, actor=actor) if state else _NO_RECORD
    return Synced(payment, state is not None, applied)
