"""Sums of events by hour, day and month, kept in the statement that takes the events in."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation, Project
from core.database.decimals import ExactDecimalField
from subscriptions.models import Subscription
from usage.models.meters import Meter


class Period(models.TextChoices):
    HOUR = "hour", _("hour")
    DAY = "day", _("day")
    MONTH = "month", _("month")


class UsageAggregate(models.Model):
    """What one series came to in one period: metric, unit, project, subscription, AI model; a period begins as the
    organisation's time zone has it. ``meter`` is given on rows that a derived meter needs for itself.

    ``slot`` is 0 unless many wrote to the series at once: each of those that could not have slot 0 without waiting
    took another, readers add them up, and ``refresh_aggregates`` folds them back. Minimum, maximum and last value are
    of ``metric_value`` (or of what the meter reads). ``late_count`` counts events that came when the period was over.
    """

    id = models.BigAutoField(primary_key=True)
    organisation = models.ForeignKey(Organisation, models.PROTECT, db_index=False, verbose_name=_("organisation"))
    project = models.ForeignKey(Project, models.PROTECT, db_index=False, verbose_name=_("project"))
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, null=True, blank=True, db_index=False, verbose_name=_("subscription")
    )
    meter = models.ForeignKey(Meter, models.PROTECT, null=True, blank=True, db_index=False, verbose_name=_("meter"))
    metric_name = models.CharField(_("metric"), max_length=120)
    unit = models.CharField(_("unit"), max_length=40, blank=True)
    model_id = models.CharField(_("AI model"), max_length=255, blank=True)
    period_type = models.CharField(_("period"), max_length=5, choices=Period)
    period_start = models.DateTimeField(_("begins"))
    slot = models.PositiveSmallIntegerField(default=0)
    total_value = ExactDecimalField(_("sum"))
    event_count = models.BigIntegerField(_("events"))
    error_count = models.BigIntegerField(_("errors"), default=0)
    late_count = models.BigIntegerField(_("late events"), default=0)
    request_tokens = models.BigIntegerField(_("request tokens"), default=0)
    response_tokens = models.BigIntegerField(_("response tokens"), default=0)
    cached_tokens = models.BigIntegerField(_("cached request tokens"), default=0)
    reasoning_tokens = models.BigIntegerField(_("reasoning tokens"), default=0)
    latency_ms_sum = models.BigIntegerField(_("latency in all (ms)"), default=0)
    latency_count = models.BigIntegerField(_("calls with a latency"), default=0)
    min_value = ExactDecimalField(_("smallest"))
    max_value = ExactDecimalField(_("largest"))
    latest_value = ExactDecimalField(_("last value"))
    latest_at = models.DateTimeField(_("last value at"))
    updated_at = models.DateTimeField(_("last change"), db_default=Now(), editable=False)

    class Meta:
        db_table = "usage_aggregates"
        ordering = ("-period_start", "id")
        verbose_name = _("usage sum")
        verbose_name_plural = _("usage sums")
        indexes = (
            models.Index(
                fields=["organisation", "period_type", "period_start", "metric_name"], name="idx_aggregates_org_period"
            ),
            models.Index(
                fields=["subscription", "period_type", "period_start"],
                condition=models.Q(subscription__isnull=False),
                name="idx_aggregates_subscription",
            ),
            models.Index(fields=["period_type", "period_start"], name="idx_aggregates_period"),
        )
        constraints = (
            models.UniqueConstraint(
                models.F("project"), models.F("period_type"), models.F("period_start"), models.F("metric_name"),
                models.F("unit"), models.F("model_id"), Coalesce(models.F("subscription"), 0),
                Coalesce(models.F("meter"), 0), models.F("slot"), name="usage_aggregates_series_unique",
            ),
            models.CheckConstraint(
                condition=models.Q(period_type__in=Period.values), name="usage_aggregates_period_known"
            ),
            models.CheckConstraint(condition=models.Q(event_count__gt=0), name="usage_aggregates_not_empty"),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.metric_name} {self.period_type} {self.period_start:%Y-%m-%d %H:%M}"


class UsageDistinct(models.Model):
    """The different values that a ``unique`` meter met in an hour (as the first 16 bytes of their SHA-256); a day or a
    month counts the different ones among its hours."""

    id = models.BigAutoField(primary_key=True)
    meter = models.ForeignKey(Meter, models.PROTECT, db_index=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT, db_index=False)
    project = models.ForeignKey(Project, models.PROTECT, db_index=False)
    subscription = models.ForeignKey(Subscription, models.PROTECT, null=True, db_index=False)
    hour = models.DateTimeField()
    value_hash = models.BinaryField(max_length=16)

    class Meta:
        db_table = "usage_distinct"
        constraints = (
            models.UniqueConstraint(
                models.F("meter"), models.F("project"), models.F("hour"), models.F("value_hash"),
                Coalesce(models.F("subscription"), 0), name="usage_distinct_value_unique",
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.meter_id} {self.hour:%Y-%m-%d %H:%M}"
