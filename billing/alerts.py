"""``cost_threshold`` of ``settings.ALERT_EVALUATORS``: what Slurm jobs cost in a window against a sum of money.

Jobs belong to the window in which they ended. Those on a receipt cost what it says, the others what the rates of now
make of them, in the site's currency and before tax, as on the usage page. Metered events have no price yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from django.conf import settings

from billing.selectors.watched import costs_of
from usage.alerts.base import Measured, holds, watched_window
from usage.alerts.measures import Ask
from usage.models import AlertRule


def cost_threshold(rules: Sequence[AlertRule], moment: datetime) -> Iterator[Measured]:
    asks = {number: Ask(rule, watched_window(rule, moment)) for number, rule in enumerate(rules)}
    found = costs_of(asks)
    for number, ask in asks.items():
        rule, actual, limit = ask.rule, found.get(number, Decimal(0)), ask.rule.threshold_value or Decimal(0)
        speaks = holds(rule.threshold_operator, actual, limit)
        yield Measured(rule, ask.window, actual, limit, speaks, settings.PAYMENT_CURRENCY)
