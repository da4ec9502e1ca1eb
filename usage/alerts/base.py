"""What evaluators are: all rules of a type in, what each of them measured out, in a constant number of statements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from usage.alerts.windows import Stretch, before, window_of
from usage.models import AlertRule, Operator

# Usage may arrive late by this much before a window that is over counts as complete.
SETTLE = timedelta(hours=1)
RISING = (Operator.GT, Operator.GTE)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rule saw: ``limit`` is what ``actual`` was held against. ``facts`` go to the history as they are."""

    rule: AlertRule
    window: Stretch
    actual: Decimal
    limit: Decimal | None
    speaks: bool
    unit: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


Evaluator = Callable[[Sequence[AlertRule], datetime], Iterable[Measured]]


def zone_of(rule: AlertRule) -> ZoneInfo:
    """The organisation's; the site's for Slurm users."""
    if rule.organisation is not None:
        return rule.organisation.zone
    return ZoneInfo(timezone.get_default_timezone_name())


def watched_window(rule: AlertRule, moment: datetime) -> Stretch:
    """The running window where the rule waits for more; the last complete one where it waits for little.

    A sum that has only begun is below everything: "less than" can be said of a window only when it is over.
    """
    zone = zone_of(rule)
    if rule.threshold_operator in RISING:
        return window_of(rule.comparison_period, moment, zone)
    return before(window_of(rule.comparison_period, moment - SETTLE, zone))


def holds(operator: str, actual: Decimal, limit: Decimal) -> bool:
    return {
        Operator.GT: actual > limit,
        Operator.GTE: actual >= limit,
        Operator.LT: actual < limit,
        Operator.LTE: actual <= limit,
        Operator.EQ: actual == limit,
    }[Operator(operator)]
