"""What is not paid leaves its mark on subscriptions: past due first, and back again."""

from __future__ import annotations

from django.db import transaction

from core.context import Actor
from subscriptions.models import Subscription, SubscriptionStatus
from subscriptions.services.history import lock, move

_S = SubscriptionStatus


@transaction.atomic
def mark_past_due(*, actor: Actor, subscription: Subscription, reason: str) -> bool:
    """active -> past due; it still runs. False when it is in any other state."""
    held = lock(subscription)
    if held.status != _S.ACTIVE:
        subscription.refresh_from_db()
        return False
    return move(
        actor, subscription, _S.PAST_DUE, action="past_due", leaving=(_S.ACTIVE,), before=held.status, reason=reason
    )


@transaction.atomic
def recover(*, actor: Actor, subscription: Subscription) -> bool:
    """past due -> active: what was due is paid. False when it is in any other state."""
    held = lock(subscription)
    if held.status != _S.PAST_DUE:
        subscription.refresh_from_db()
        return False
    return move(actor, subscription, _S.ACTIVE, action="recover", leaving=(_S.PAST_DUE,), before=held.status)
