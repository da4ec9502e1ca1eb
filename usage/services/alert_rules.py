"""Rules that watch usage and cost: made, changed, switched on and off. They are kept: their history needs them."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models.users import fold_username
from audit import services as audit
from core.context import Actor
from core.errors import Conflict
from usage.alerts.checks import check_rule
from usage.models import AlertRule

# What a rule is made of; what it watches and how it is measured does not change afterwards.
SUBJECT = ("organisation", "project", "username")
CONTENT = (
    "name", "description", "alert_type", "metric_name", "unit", "threshold_value", "threshold_operator",
    "comparison_period", "spike_threshold_percent", "spike_comparison_period", "notification_channels",
    "recipient_email", "webhook", "cooldown_minutes",
)  # fmt: skip
MOST_RULES = 100  # that are on, of one organisation or user


def create_rule(*, actor: Actor, **fields: Any) -> AlertRule:
    """A new rule of ``SUBJECT`` and ``CONTENT``. Raises ``BadInput`` with the field at fault, ``Conflict``."""
    rule = AlertRule(created_by=actor.name)
    _set(rule, fields, (*SUBJECT, *CONTENT))
    check_rule(rule)
    with transaction.atomic():
        same = AlertRule.objects.filter(organisation=rule.organisation, username=rule.username, is_active=True)
        if same.count() >= MOST_RULES:
            raise Conflict(_("There are %(n)d alerts already; switch one off first.") % {"n": MOST_RULES})
        rule.save()
        rule.refresh_from_db()
        changes = {name: [None, _plain(rule, name)] for name in (*SUBJECT, *CONTENT)}
        _record(actor, "alert_create", rule, changes)
    return rule


def change_rule(*, actor: Actor, rule: AlertRule, **fields: Any) -> bool:
    """Set some of ``CONTENT``. What the rule watches stays: make another rule for that. False when nothing changes."""
    with transaction.atomic():
        row = AlertRule.objects.select_for_update().get(pk=rule.pk)
        before = {name: _plain(row, name) for name in CONTENT}
        _set(row, fields, CONTENT)
        check_rule(row)
        changes = {name: [old, new] for name, old in before.items() if old != (new := _plain(row, name))}
        if changes:
            row.save(update_fields=[*CONTENT, "updated_at"])
            _record(actor, "alert_change", row, changes)
    rule.refresh_from_db()
    return bool(changes)


def switch_rule(*, actor: Actor, rule: AlertRule, on: bool) -> bool:
    """On or off; False when it is so already."""
    with transaction.atomic():
        moved = AlertRule.objects.filter(pk=rule.pk).exclude(is_active=on).update(
            is_active=on, updated_at=timezone.now()
        )  # fmt: skip
        if moved:
            _record(actor, "alert_on" if on else "alert_off", rule, {"is_active": [not on, on]})
    rule.refresh_from_db()
    return bool(moved)


def _set(rule: AlertRule, fields: dict[str, Any], allowed: tuple[str, ...]) -> None:
    if unknown := fields.keys() - set(allowed):
        raise TypeError(f"a rule has no {', '.join(sorted(unknown))} to be set")
    for name, value in fields.items():
        setattr(rule, name, value.strip() if isinstance(value, str) else value)
    if rule.username:
        rule.username = fold_username(rule.username)


def _plain(rule: AlertRule, name: str) -> Any:
    value = getattr(rule, name)
    return value.pk if hasattr(value, "pk") else value


def _record(actor: Actor, action: str, rule: AlertRule, changes: dict[str, Any]) -> None:
    audit.record(actor=actor, action=action, target=rule.name, entity=rule, changes=changes)
