"""Budgets that people set for themselves."""

from __future__ import annotations

from usage.models import AlertPeriod, AlertRule, AlertType, Operator


def budget_of(username: str) -> AlertRule | None:
    """The smallest monthly budget that a user has set for the own Slurm cost."""
    rules = AlertRule.objects.filter(
        username=username, is_active=True, alert_type=AlertType.COST_THRESHOLD, comparison_period=AlertPeriod.MONTH,
        threshold_operator__in=(Operator.GT, Operator.GTE), threshold_value__isnull=False,
    )  # fmt: skip
    return min(rules, key=lambda rule: rule.threshold_value or 0, default=None)
