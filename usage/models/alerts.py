"""Rules that watch usage and cost, and each time one of them spoke."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation, Project, WebhookEndpoint
from core.database.decimals import ExactDecimalField
from core.lines import LineField
from core.states import Transitions


class AlertType(models.TextChoices):
    USAGE_THRESHOLD = "usage_threshold", _("usage against a threshold")
    USAGE_SPIKE = "usage_spike", _("sudden rise of usage")
    COST_THRESHOLD = "cost_threshold", _("cost against a threshold")
    UNUSUAL_PATTERN = "unusual_pattern", _("unusual pattern")


class Operator(models.TextChoices):
    GT = "gt", _("more than")
    GTE = "gte", _("at least")
    LT = "lt", _("less than")
    LTE = "lte", _("at most")
    EQ = "eq", _("exactly")


class AlertPeriod(models.TextChoices):
    HOUR = "hour", _("hour")
    DAY = "day", _("day")
    WEEK = "week", _("week")
    MONTH = "month", _("month")


class Channel(models.TextChoices):
    EMAIL = "email", _("e-mail")
    WEBHOOK = "webhook", _("webhook")


def email_only() -> list[str]:
    return [Channel.EMAIL.value]


class AlertRule(models.Model):
    """It watches an organisation, one of its projects, or one Slurm user (``username``): never two of the last.

    Usage is a metric of events, or for Slurm ``cpu_hours``, ``gpu_hours``, ``mem_gb_hours``, ``jobs``. Cost comes from
    whoever ``settings.ALERT_EVALUATORS`` names. A budget is a rule of type cost with the operator "at least".
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="alert_rules", verbose_name=_("organisation")
    )
    project = models.ForeignKey(
        Project, models.PROTECT, null=True, blank=True, related_name="alert_rules", verbose_name=_("project")
    )
    username = LineField(_("Slurm user"), max_length=120, blank=True)
    name = LineField(_("name"), max_length=160)
    description = models.TextField(_("description"), blank=True)
    alert_type = models.CharField(_("kind"), max_length=20, choices=AlertType)
    metric_name = LineField(_("metric"), max_length=120, blank=True)
    unit = LineField(_("unit"), max_length=40, blank=True)
    threshold_value = ExactDecimalField(_("threshold"), null=True, blank=True)
    threshold_operator = models.CharField(_("compared"), max_length=3, choices=Operator, default=Operator.GTE)
    comparison_period = models.CharField(_("within"), max_length=5, choices=AlertPeriod, default=AlertPeriod.MONTH)
    spike_threshold_percent = models.DecimalField(_("rise (%)"), max_digits=9, decimal_places=2, null=True, blank=True)
    spike_comparison_period = models.CharField(_("against the last"), max_length=5, choices=AlertPeriod, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    notification_channels = models.JSONField(_("tell by"), default=email_only)
    recipient_email = models.EmailField(
        _("e-mail"), blank=True, help_text=_("Empty: the address of the organisation or user.")
    )
    webhook = models.ForeignKey(
        WebhookEndpoint, models.PROTECT, null=True, blank=True, related_name="alert_rules",
        verbose_name=_("webhook address"),
    )  # fmt: skip
    cooldown_minutes = models.PositiveIntegerField(_("quiet afterwards (minutes)"), default=60)
    last_fired_at = models.DateTimeField(_("last time"), null=True, blank=True, editable=False)
    created_by = models.CharField(_("created by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("last change"), auto_now=True, editable=False)

    class Meta:
        db_table = "alert_rules"
        ordering = ("-id",)
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        indexes = (
            models.Index(fields=["username"], condition=~models.Q(username=""), name="idx_alert_rules_username"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(organisation__isnull=False, username="")
                | (models.Q(organisation__isnull=True, project__isnull=True) & ~models.Q(username="")),
                name="alert_rules_one_subject",
            ),
            models.CheckConstraint(condition=models.Q(alert_type__in=AlertType.values), name="alert_rules_type_known"),
            models.CheckConstraint(
                condition=models.Q(threshold_operator__in=Operator.values), name="alert_rules_operator_known"
            ),
            models.CheckConstraint(
                condition=models.Q(comparison_period__in=AlertPeriod.values), name="alert_rules_period_known"
            ),
        )

    def __str__(self) -> str:
        return self.name


class AlertStatus(models.TextChoices):
    PENDING = "pending", _("to be told")
    SENT = "sent", _("told")
    FAILED = "failed", _("could not be told")
    ACKNOWLEDGED = "acknowledged", _("seen")


_A = AlertStatus
ALERT_TRANSITIONS: Transitions = {
    _A.PENDING: frozenset({_A.SENT, _A.FAILED, _A.ACKNOWLEDGED}),
    _A.SENT: frozenset({_A.ACKNOWLEDGED, _A.FAILED}),
    _A.FAILED: frozenset({_A.SENT, _A.ACKNOWLEDGED}),
    _A.ACKNOWLEDGED: frozenset(),
}


class AlertHistory(models.Model):
    """One time that a rule spoke, with the figures as they were then."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    alert_rule = models.ForeignKey(AlertRule, models.PROTECT, related_name="history", verbose_name=_("alert"))
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="alert_history",
        verbose_name=_("organisation"),
    )  # fmt: skip
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, verbose_name=_("project"))
    username = models.CharField(_("Slurm user"), max_length=120, blank=True)
    alert_type = models.CharField(_("kind"), max_length=20, choices=AlertType)
    metric_name = models.CharField(_("metric"), max_length=120, blank=True)
    unit = models.CharField(_("unit"), max_length=40, blank=True)
    threshold_value = ExactDecimalField(_("threshold"), null=True, blank=True)
    actual_value = ExactDecimalField(_("was"))
    comparison_period = models.CharField(_("within"), max_length=5, choices=AlertPeriod)
    period_start = models.DateTimeField(_("from"))
    period_end = models.DateTimeField(_("to"))
    status = models.CharField(_("status"), max_length=12, choices=AlertStatus, default=AlertStatus.PENDING)
    notification_channels = models.JSONField(_("told by"), default=list)
    sent_at = models.DateTimeField(_("told at"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(_("seen at"), null=True, blank=True)
    acknowledged_by = models.CharField(_("seen by"), max_length=64, blank=True)
    error_message = models.TextField(_("error"), blank=True)
    metadata = models.JSONField(_("further facts"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "alert_history"
        ordering = ("-id",)
        verbose_name = _("alert that was raised")
        verbose_name_plural = _("alerts that were raised")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=AlertStatus.values), name="alert_history_status_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.alert_rule} {self.period_start:%Y-%m-%d %H:%M}"
