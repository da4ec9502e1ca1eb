"""Alerts in words, in the reader's language."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.words.wording import day_text, decimal_text, money_text, month_text
from usage.models import AlertHistory, AlertPeriod, AlertRule, AlertType, Operator

METRICS: dict[str, str | Promise] = {
    "cpu_hours": gettext_lazy("Core-hours"),
    "gpu_hours": gettext_lazy("GPU-hours"),
    "mem_gb_hours": gettext_lazy("GB-hours"),
    "jobs": gettext_lazy("Jobs"),
}
PLACES_SHOWN = 4
_LIMIT = gettext_lazy("%(metric)s of %(subject)s: %(operator)s %(limit)s, by the %(period)s")
_PASSED = gettext_lazy("%(metric)s of %(subject)s came to %(actual)s; you asked to hear of %(operator)s %(limit)s.")
# What a rule of each kind waits for, and what was seen when it spoke; the words that fit in: rule_text, sentence.
RULES: dict[str, str | Promise] = {
    AlertType.USAGE_THRESHOLD.value: _LIMIT,
    AlertType.COST_THRESHOLD.value: _LIMIT,
    AlertType.USAGE_SPIKE.value: gettext_lazy(
        "%(metric)s of %(subject)s: %(percent)s %% above the usual of the last %(before)s, by the %(period)s"
    ),
    AlertType.UNUSUAL_PATTERN.value: gettext_lazy("%(metric)s of %(subject)s: unusually much, by the %(period)s"),
}
SENTENCES: dict[str, str | Promise] = {
    AlertType.USAGE_THRESHOLD.value: _PASSED,
    AlertType.COST_THRESHOLD.value: _PASSED,
    AlertType.USAGE_SPIKE.value: gettext_lazy("%(metric)s of %(subject)s came to %(actual)s; usual is %(usual)s."),
    AlertType.UNUSUAL_PATTERN.value: gettext_lazy(
        "%(metric)s of %(subject)s came to %(actual)s; likely is at most %(limit)s."
    ),
}


def metric_text(row: AlertRule | AlertHistory) -> str:
    """What is watched: a word for metrics of Slurm and for cost, the name of any other metric."""
    if row.alert_type == AlertType.COST_THRESHOLD:
        return _("Cost")
    return str(METRICS.get(row.metric_name, row.metric_name))


def subject_text(row: AlertRule | AlertHistory) -> str:
    """Whose usage: the Slurm user, the project with its organisation, or the organisation."""
    if row.username:
        return row.username
    return f"{row.project} ({row.organisation})" if row.project else str(row.organisation)


def value_text(row: AlertRule | AlertHistory, value: Decimal | None) -> str:
    if value is None:
        return ""
    if row.alert_type == AlertType.COST_THRESHOLD:
        return money_text(value, row.unit or settings.PAYMENT_CURRENCY)
    return f"{decimal_text(value, 0, PLACES_SHOWN)} {row.unit}".strip()


def rule_text(rule: AlertRule) -> str:
    """What the rule waits for, as one line."""
    return str(RULES[rule.alert_type]) % {
        "metric": metric_text(rule), "subject": subject_text(rule), "period": rule.get_comparison_period_display(),
        "operator": rule.get_threshold_operator_display(), "limit": value_text(rule, rule.threshold_value),
        "percent": decimal_text(rule.spike_threshold_percent or Decimal(0), 0, 2),
        "before": rule.get_spike_comparison_period_display(),
    }  # fmt: skip


def sentence(row: AlertHistory) -> str:
    """What was seen, as one line."""
    operator = row.metadata.get("operator", "")
    return str(SENTENCES[row.alert_type]) % {
        "metric": metric_text(row), "subject": subject_text(row), "actual": value_text(row, row.actual_value),
        "limit": value_text(row, row.threshold_value),
        "operator": str(Operator(operator).label) if operator in Operator.values else operator,
        "usual": value_text(row, Decimal(row.metadata.get("usual") or 0)),
    }  # fmt: skip


def window_text(row: AlertHistory) -> str:
    """The window in its own zone, which is named: ``November 2026 (Asia/Bangkok)``."""
    zone = ZoneInfo(row.metadata.get("zone") or settings.TIME_ZONE)
    start, end = row.period_start.astimezone(zone), row.period_end.astimezone(zone)
    if row.comparison_period == AlertPeriod.HOUR:
        text = f"{day_text(start.date())}, {start:%H:%M}–{end:%H:%M}"
    elif row.comparison_period == AlertPeriod.DAY:
        text = day_text(start.date())
    elif row.comparison_period == AlertPeriod.WEEK:
        text = f"{day_text(start.date())} – {day_text(end.date() - timedelta(days=1))}"
    else:
        text = month_text(start.date())
    return f"{text} ({zone})"
