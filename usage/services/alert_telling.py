"""Telling people of an alert: messages queued with it, and its status following what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import DeliveryStatus, EmailNotification, EmailStatus, Identity, User, WebhookDelivery
from accounts.services.outbox import queue_email, site_url
from accounts.services.webhooks import queue_message
from audit import services as audit
from core.context import Actor
from core.database.decimals import plain
from core.errors import AppError, BadInput
from core.states import transition
from usage.alerts.wording import sentence, subject_text, value_text, window_text
from usage.models import ALERT_TRANSITIONS, AlertHistory, AlertRule, AlertStatus, Channel

EVENT = "alert.raised"
FOLLOWED = timedelta(days=7)  # how long a message that was given up may still be sent after all
MOST = 2000  # alerts followed in one run


def tell(row: AlertHistory, rule: AlertRule) -> None:
    """Queue what the rule wants, in the caller's transaction. Where nothing can be queued the alert has failed."""
    queued, troubles = 0, []
    language = _language(rule)
    for channel in row.notification_channels:
        try:
            with translation.override(language):
                _queue_email(row, rule, language) if channel == Channel.EMAIL else _queue_webhook(row, rule)
            queued += 1
        except AppError as error:
            troubles.append(error.message)
    if troubles:
        AlertHistory.objects.filter(pk=row.pk).update(error_message="\n".join(troubles))
    if not queued:
        transition(row, AlertStatus.FAILED, table=ALERT_TRANSITIONS)


def email_key(row: AlertHistory) -> str:
    return f"alert:{row.uuid.hex}"


def message_id(row: AlertHistory) -> str:
    return f"alert_{row.uuid.hex}"


def recipient_of(rule: AlertRule) -> str:
    """The rule's own address, else the organisation's for bills, else the user's; empty without any."""
    if rule.recipient_email:
        return rule.recipient_email
    if rule.organisation is not None:
        return rule.organisation.billing_email
    return Identity.objects.filter(user_id=rule.username).values_list("email", flat=True).first() or ""


def _language(rule: AlertRule) -> str:
    """Of the one who is watched, else of the one who made the rule."""
    name = rule.username or rule.created_by
    return User.objects.filter(pk=name).values_list("language", flat=True).first() or settings.LANGUAGE_CODE


def _queue_email(row: AlertHistory, rule: AlertRule, language: str) -> None:
    recipient = recipient_of(rule)
    if not recipient:
        raise BadInput(_("There is no e-mail address to write to: give the alert one, or the organisation or user."))
    facts = [
        (_("Watched"), subject_text(row)),
        (_("Was"), value_text(row, row.actual_value)),
        *([(_("Limit"), value_text(row, row.threshold_value))] if row.threshold_value is not None else []),
        (_("Period"), window_text(row)),
    ]
    context = {
        "name": rule.name, "sentence": sentence(row), "facts": facts, "url": site_url(page_of(row)),
        "description": rule.description,
    }  # fmt: skip
    queue_email(
        kind="alert", recipient=recipient, language=language, organisation=rule.organisation, context=context,
        dedupe_key=email_key(row),
    )  # fmt: skip


def page_of(row: AlertHistory) -> str:
    return reverse("alerts:raised", args=[row.uuid])


def _queue_webhook(row: AlertHistory, rule: AlertRule) -> None:
    if rule.webhook is None:
        raise BadInput(_("No webhook address is chosen."))
    queue_message(endpoint=rule.webhook, event_type=EVENT, data=payload(row, rule), message_id=message_id(row))


def payload(row: AlertHistory, rule: AlertRule) -> dict[str, Any]:
    """What a webhook carries; figures are decimal text, times in UTC."""
    limit = row.threshold_value
    return {
        "id": str(row.uuid),
        "rule": {"id": str(rule.uuid), "name": rule.name},
        "alert_type": row.alert_type,
        "organisation": str(rule.organisation.uuid) if rule.organisation else None,
        "project": str(rule.project.uuid) if rule.project else None,
        "username": row.username or None,
        "metric_name": row.metric_name or None,
        "unit": row.unit or None,
        "operator": rule.threshold_operator,
        "threshold_value": None if limit is None else plain(limit),
        "actual_value": plain(row.actual_value),
        "comparison_period": row.comparison_period,
        "period_start": row.period_start,
        "period_end": row.period_end,
        "facts": row.metadata,
        "url": site_url(page_of(row)),
    }


def acknowledge(*, actor: Actor, alert: AlertHistory) -> bool:
    """Somebody has seen it. False when somebody had."""
    with transaction.atomic():
        before = alert.status
        moved = transition(
            alert, AlertStatus.ACKNOWLEDGED, table=ALERT_TRANSITIONS, acknowledged_at=timezone.now(),
            acknowledged_by=actor.name,
        )  # fmt: skip
        if moved:
            audit.record(
                actor=actor, action="alert_acknowledge", target=str(alert), entity=alert,
                changes={"status": [before, AlertStatus.ACKNOWLEDGED]},
            )  # fmt: skip
    return moved


def follow(now: datetime) -> dict[str, int]:
    """Bring the status of alerts in line with what became of their messages: two statements, and one a change."""
    lately = AlertHistory.objects.filter(created_at__gte=now - FOLLOWED)
    rows = list(lately.filter(status__in=(AlertStatus.PENDING, AlertStatus.FAILED)).order_by("-pk")[:MOST])
    counts = {"told": 0, "not_told": 0}
    if not rows:
        return counts
    states = _states(rows)
    for row in rows:
        outcome = _outcome(states.get(email_key(row)), states.get(message_id(row)))
        if outcome is None or outcome[0] == row.status:
            continue
        status, words = outcome
        kept = "\n".join(dict.fromkeys([*row.error_message.splitlines(), *words]))
        sent = {"sent_at": now} if status == AlertStatus.SENT else {}
        if transition(row, status, table=ALERT_TRANSITIONS, error_message=kept, **sent):
            counts["told" if status == AlertStatus.SENT else "not_told"] += 1
    return counts


def _states(rows: Iterable[AlertHistory]) -> dict[str, tuple[str, str]]:
    """(sent, failed or pending; why) by key of the message."""
    rows = list(rows)
    emails = EmailNotification.objects.filter(dedupe_key__in=[email_key(row) for row in rows])
    hooks = WebhookDelivery.objects.filter(message_id__in=[message_id(row) for row in rows])
    found = {
        key: (status, _("E-mail: %(why)s") % {"why": why} if status == EmailStatus.FAILED else "")
        for key, status, why in emails.values_list("dedupe_key", "status", "error_message")
        if key
    }
    given_up = _("The webhook message was given up; its log says why.")
    return found | {
        key: (status, given_up if status == DeliveryStatus.FAILED else "")
        for key, status in hooks.values_list("message_id", "status")
    }


def _outcome(*messages: tuple[str, str] | None) -> tuple[str, list[str]] | None:
    """None while something waits. Told as soon as one way worked; what did not is said."""
    known = [message for message in messages if message is not None]
    if not known or any(status == "pending" for status, _why in known):
        return None
    words = [why for _status, why in known if why]
    sent = any(status == "sent" for status, _why in known)
    return (AlertStatus.SENT if sent else AlertStatus.FAILED), words
