"""What is used and left of a subscription's quotas, in words, for its page (``SUBSCRIPTION_PANELS``)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from core.clock import now_for
from core.words.wording import quantity_text, unit_text
from subscriptions.models import USABLE, Subscription, SubscriptionStatus
from usage.quotas import open_windows, standings


def panel(request: HttpRequest, subscription: Subscription) -> dict[str, Any]:
    """``quotas``: a row a window; none where nothing limits it."""
    if subscription.status not in (*USABLE, SubscriptionStatus.SUSPENDED):
        return {}
    windows = open_windows([subscription], now_for(subscription.organisation))
    found = standings([each for each in windows if each.limit is not None])
    rows = [
        {
            "metric": unit_text(each.window.metric),
            "within": each.window.get_window_display(),
            "used": quantity_text(each.used),
            "held": quantity_text(each.held) if each.held else "",
            "limit": quantity_text(each.window.limit or 0),
            "percent": min(int(each.percent), 100),
            "ends_at": each.window.ends_at,
        }
        for each in sorted(found, key=lambda each: (each.window.metric, each.window.window))
    ]
    return {"quotas": rows}
