"""What customers' programs are told of subscriptions: every change, in the transaction that makes it."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.services.announcements import Announcement, announce
from accounts.services.outbox import site_url
from subscriptions.models import Subscription, SubscriptionChange

CHANGED = "subscription.changed"
KINDS = {CHANGED: _("Subscription changed")}


def tell_of_change(subscription: Subscription, change: SubscriptionChange) -> None:
    """To the addresses of its organisation and of its user."""
    announce([
        Announcement(
            CHANGED, partial(payload, subscription, change), subscription.organisation_id, subscription.user_id,
            message_id=f"subscription_change_{change.pk}",
        )
    ])  # fmt: skip


def payload(subscription: Subscription, change: SubscriptionChange) -> dict[str, Any]:
    """The subscription as it is now, and what happened to it; moments in UTC."""
    return {
        "id": str(subscription.uuid),
        "organisation": str(subscription.organisation.uuid) if subscription.organisation else None,
        "username": subscription.user_id,
        "plan": subscription.plan.code,
        "status": subscription.status,
        "suspended_for": subscription.suspended_for or None,
        "billing_cycle": subscription.billing_cycle,
        "currency": subscription.currency,
        "period_start": subscription.period_start,
        "period_end": subscription.period_end,
        "cancel_at_period_end": subscription.cancel_at_period_end,
        "end_at": subscription.end_at,
        "change": {
            "action": change.action,
            "from_status": change.from_status or None,
            "to_status": change.to_status,
            "reason": change.reason,
            "at": change.at,
        },
        "url": site_url(subscription.get_absolute_url()),
    }
