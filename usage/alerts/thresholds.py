"""``usage_threshold``: the metric's sum in the window against a fixed number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from usage.alerts.base import Measured, holds, watched_window
from usage.alerts.measures import Ask, measure
from usage.models import AlertRule


def usage_threshold(rules: Sequence[AlertRule], moment: datetime) -> Iterator[Measured]:
    asks = [Ask(rule, watched_window(rule, moment)) for rule in rules]
    for ask, actual in zip(asks, measure(asks), strict=True):
        rule, limit = ask.rule, ask.rule.threshold_value or Decimal(0)
        yield Measured(rule, ask.window, actual, limit, holds(rule.threshold_operator, actual, limit), rule.unit)
