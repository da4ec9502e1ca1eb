"""Every move of a subscription goes through here: one UPDATE, one line of history, one of the audit log, and a message
to the programs that want it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from audit import services as audit
from core.clock import now_for
from core.context import Actor
from core.states import Transitions, transition
from subscriptions.announcements import tell_of_change
from subscriptions.holders import AT_REST, GRAVE
from subscriptions.models import (
    SUBSCRIPTION_TRANSITIONS,
    Subscription,
    SubscriptionChange,
    SubscriptionStatus,
    SuspendedFor,
)
from subscriptions.services.telling import tell

LONGEST_REASON = 255
# What one that is over has no more of.
OVER: dict[str, Any] = {
    "suspended_for": SuspendedFor.NONE, "reset_at": None, "next_billing_at": None, "next_plan": None,
    "next_cycle": "",
}  # fmt: skip


def with_rest(subscription: Subscription) -> dict[str, Any]:
    """The metadata of one that ends: for what it rested, where that was grave."""
    rests = subscription.status == SubscriptionStatus.SUSPENDED and subscription.suspended_for in GRAVE
    return {**subscription.metadata} | ({AT_REST: subscription.suspended_for} if rests else {})


def lock(subscription: Subscription) -> Subscription:
    """The row as it stands, held until the transaction ends."""
    return Subscription.objects.select_for_update().get(pk=subscription.pk)


def move(
    actor: Actor, subscription: Subscription, to: str, *, action: str, leaving: Iterable[str], before: str,
    reason: str = "", **values: Any,
) -> bool:  # fmt: skip
    """``leaving`` narrows the table of states for this act; ``before`` is the state of the locked row.

    False when it stands in ``to`` already. Raises ``InvalidTransition``.
    """
    table: Transitions = {state: SUBSCRIPTION_TRANSITIONS[state] & {to} for state in leaving}
    if not transition(subscription, to, table=table, updated_at=timezone.now(), **values):
        return False
    note(actor, subscription, action=action, before=before, reason=reason)
    return True


def note(
    actor: Actor, subscription: Subscription, *, action: str, before: str, reason: str = "",
    at: datetime | None = None, changes: Mapping[str, Any] | None = None, extra: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """``changes`` and ``extra`` go to the audit log beside what always stands there."""
    reason = " ".join(reason.split())[:LONGEST_REASON]  # one line of a history, an e-mail and a log
    change = SubscriptionChange.objects.create(
        subscription=subscription, action=action, from_status=before, to_status=subscription.status,
        actor=actor.name[:150], reason=reason, at=at or now_for(subscription.organisation),
    )  # fmt: skip
    tell(subscription, change)
    tell_of_change(subscription, change)
    audit.record(
        actor=actor, action=f"subscription_{action}", target=str(subscription), entity=subscription,
        changes={"status": [before, subscription.status], **(changes or {})},
        extra={
            "plan": subscription.plan.code, "user": subscription.user_id, "reason": reason,
            "organisation": str(subscription.organisation or ""), "suspended_for": subscription.suspended_for,
            **(extra or {}),
        },
    )  # fmt: skip
