"""``cost_threshold`` of ``settings.ALERT_EVALUATORS``: what jobs and metered usage cost in a window against a sum of
money.

Jobs belong to the window in which they ended. Those on a receipt cost what it says, the others what the rates of now
make of them, in the site's currency and before tax, as on the usage page. Metered usage of an organisation costs what
its prices make of the window's own sums (``billing.selectors.watched_usage``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from django.conf import settings

from billing.selectors.jobs.watched import costs_of
from billing.selectors.watched_usage import UsageCost, usage_costs_of
from usage.alerts.base import Measured, holds, watched_window
from usage.alerts.measures import Ask
from usage.models import AlertRule


def cost_threshold(rules: Sequence[AlertRule], moment: datetime) -> Iterator[Measured]:
    asks = {number: Ask(rule, watched_window(rule, moment)) for number, rule in enumerate(rules)}
    jobs, usage = costs_of(asks), usage_costs_of(asks, moment)
    for number, ask in asks.items():
        rule, limit, metered = ask.rule, ask.rule.threshold_value or Decimal(0), usage.get(number, UsageCost())
        actual = jobs.get(number, Decimal(0)) + metered.amount
        facts = {"unpriced": metered.unpriced} if metered.unpriced else {}
        speaks = holds(rule.threshold_operator, actual, limit)
        yield Measured(rule, ask.window, actual, limit, speaks, settings.PAYMENT_CURRENCY, facts)
