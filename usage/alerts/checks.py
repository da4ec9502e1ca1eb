"""What a rule must have before it is kept: every refusal names the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import TextChoices
from django.utils.translation import gettext as _

from accounts.models import Project
from core.errors import BadInput
from core.lines import checked_line
from usage.alerts.base import RISING
from usage.alerts.measures import SLURM_METRICS
from usage.alerts.windows import ORDER
from usage.models import AlertPeriod, AlertRule, AlertType, Channel, Operator

MOST_MINUTES = 366 * 24 * 60
MOST_DIGITS, MOST_PERCENT = 31, Decimal("9999999.99")
LONGEST = {"name": 160, "description": 2000, "metric_name": 120, "unit": 40}
_CHOICES: Mapping[str, type[TextChoices]] = {
    "alert_type": AlertType, "threshold_operator": Operator, "comparison_period": AlertPeriod,
}  # fmt: skip


def check_rule(rule: AlertRule) -> None:
    """Raises ``BadInput`` with the ``field`` at fault."""
    _check_texts(rule)
    for name, choices in _CHOICES.items():
        if getattr(rule, name) not in choices.values:
            _refuse(name, _("Choose one of: %(names)s.") % {"names": ", ".join(choices.values)})
    _check_subject(rule)
    _check_numbers(rule)
    KINDS[AlertType(rule.alert_type)](rule)
    _check_channels(rule)


def _refuse(field: str, words: str) -> NoReturn:
    raise BadInput(words, field=field)


def _check_texts(rule: AlertRule) -> None:
    if not rule.name:
        _refuse("name", _("Give it a name."))
    for name, most in LONGEST.items():
        text = getattr(rule, name)
        if len(text) > most or "\x00" in text:
            _refuse(name, _("At most %(n)d characters.") % {"n": most})
        if name != "description":
            checked_line(text, name)


def _check_subject(rule: AlertRule) -> None:
    if (rule.organisation is None) == (not rule.username):
        _refuse("organisation", _("An alert watches an organisation (or one of its projects) or a Slurm user."))
    project: Project | None = rule.project
    if project is not None and project.organisation_id != rule.organisation_id:
        _refuse("project", _("This project is not one of the organisation's."))


def _check_numbers(rule: AlertRule) -> None:
    value, percent = rule.threshold_value, rule.spike_threshold_percent
    if value is not None and not _fits(value, 9, Decimal(10) ** MOST_DIGITS):
        _refuse("threshold_value", _("Write a number of 0 or more, with at most 9 decimal places."))
    if percent is not None and not _fits(percent, 2, MOST_PERCENT):
        _refuse("spike_threshold_percent", _("Write a percentage above 0, with at most 2 decimal places."))
    minutes: Any = rule.cooldown_minutes
    if not isinstance(minutes, int) or not 0 <= minutes <= MOST_MINUTES:
        _refuse("cooldown_minutes", _("Write minutes from 0 to %(n)d (a year).") % {"n": MOST_MINUTES})


def _fits(value: Decimal, places: int, most: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return value.is_finite() and 0 <= value < most and isinstance(exponent, int) and exponent >= -places


def _check_metric(rule: AlertRule) -> None:
    if not rule.metric_name:
        _refuse("metric_name", _("Name the metric that is watched."))
    if rule.username and rule.metric_name not in SLURM_METRICS:
        known = ", ".join(SLURM_METRICS)
        _refuse("metric_name", _("Of a Slurm user these are known: %(names)s.") % {"names": known})
    if rule.unit and rule.metric_name in SLURM_METRICS:
        _refuse("unit", _("The metrics of Slurm jobs have their unit in their name; leave this empty."))


def _check_no_spike(rule: AlertRule) -> None:
    for name in ("spike_threshold_percent", "spike_comparison_period"):
        if getattr(rule, name):
            _refuse(name, _("Only an alert on a sudden rise takes this; leave it empty."))


def _check_rising(rule: AlertRule) -> None:
    if rule.threshold_operator not in RISING:
        _refuse("threshold_operator", _("This kind of alert waits for more: choose “more than” or “at least”."))


def _check_threshold(rule: AlertRule) -> None:
    _check_metric(rule)
    _check_no_spike(rule)
    if rule.threshold_value is None:
        _refuse("threshold_value", _("Give the number that usage is compared with."))


def _check_spike(rule: AlertRule) -> None:
    _check_metric(rule)
    _check_rising(rule)
    if not rule.spike_threshold_percent:
        _refuse("spike_threshold_percent", _("Say by how many percent usage must rise."))
    if rule.spike_comparison_period not in AlertPeriod.values:
        _refuse("spike_comparison_period", _("Say what the rise is measured against."))
    if ORDER.index(AlertPeriod(rule.spike_comparison_period)) < ORDER.index(AlertPeriod(rule.comparison_period)):
        _refuse("spike_comparison_period", _("This must not be shorter than the window that is watched."))


def _check_pattern(rule: AlertRule) -> None:
    _check_metric(rule)
    _check_rising(rule)
    _check_no_spike(rule)


def _check_cost(rule: AlertRule) -> None:
    _check_no_spike(rule)
    if rule.threshold_value is None:
        _refuse("threshold_value", _("Give the sum of money that the cost is compared with."))
    for name in ("metric_name", "unit"):
        if getattr(rule, name):
            _refuse(name, _("Cost is that of everything, not of single metrics. Leave this empty."))


def _check_channels(rule: AlertRule) -> None:
    channels: Any = rule.notification_channels
    if not isinstance(channels, list) or not channels or set(channels) - set(Channel.values):
        _refuse("notification_channels", _("Choose one or more of: %(names)s.") % {"names": ", ".join(Channel.values)})
    if len(set(channels)) < len(channels):
        _refuse("notification_channels", _("Name each channel once."))
    if rule.recipient_email:
        try:
            validate_email(rule.recipient_email)
        except ValidationError:
            _refuse("recipient_email", _("This is no e-mail address."))
    _check_webhook(rule)


def _check_webhook(rule: AlertRule) -> None:
    """An address of the same owner: what is somebody else's is as unknown as what does not exist."""
    endpoint = rule.webhook
    if Channel.WEBHOOK not in rule.notification_channels:
        return
    if endpoint is None:
        _refuse("webhook", _("Choose the address that is called."))
    owner = (endpoint.organisation_id, str(endpoint.user_id or ""))
    if owner not in ((rule.organisation_id, ""), (None, rule.username or "-")):
        _refuse("webhook", _("There is no such webhook address."))


# What a rule of each kind must have, beside what all must have.
KINDS: Mapping[AlertType, Callable[[AlertRule], None]] = {
    AlertType.USAGE_THRESHOLD: _check_threshold,
    AlertType.USAGE_SPIKE: _check_spike,
    AlertType.UNUSUAL_PATTERN: _check_pattern,
    AlertType.COST_THRESHOLD: _check_cost,
}
