"""Metered events: what was used, by whom, once."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, Organisation, Project
from core.database.decimals import ExactDecimalField
from subscriptions.models import Subscription

_SOFT: dict[str, Any] = {"db_constraint": False, "db_index": False}  # see UsageEvent


class UsageEvent(models.Model):
    """One event, never changed. On PostgreSQL the table is partitioned by the month (UTC) of ``timestamp``.

    Its keys to other tables are not checked row by row: the hour that an event is added to (``usage_aggregates``,
    written in the same statement) holds the checked ones, so nothing it points to can go. A call of an AI model is
    an event whose ``model_id`` is given. ``is_late``: it came after its hour was over, by more than
    ``EVENTS_LATE_AFTER_MINUTES``.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT, verbose_name=_("organisation"), **_SOFT)
    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), **_SOFT)
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, null=True, blank=True, verbose_name=_("subscription"), **_SOFT
    )
    api_key = models.ForeignKey(ApiKey, models.PROTECT, null=True, blank=True, verbose_name=_("API key"), **_SOFT)
    metric_name = models.CharField(_("metric"), max_length=120)
    metric_value = ExactDecimalField(_("value"), max_digits=30)
    unit = models.CharField(_("unit"), max_length=40, blank=True)
    timestamp = models.DateTimeField(_("when"))
    idempotency_key = models.CharField(_("idempotency key"), max_length=200)
    metadata = models.JSONField(_("further facts"), default=dict, blank=True)
    model_id = models.CharField(_("AI model"), max_length=255, blank=True)
    request_tokens = models.BigIntegerField(_("request tokens"), null=True, blank=True)
    response_tokens = models.BigIntegerField(_("response tokens"), null=True, blank=True)
    cached_tokens = models.BigIntegerField(_("cached request tokens"), null=True, blank=True)
    reasoning_tokens = models.BigIntegerField(_("reasoning tokens"), null=True, blank=True)
    latency_ms = models.IntegerField(_("latency (ms)"), null=True, blank=True)
    status_code = models.IntegerField(_("status code"), null=True, blank=True)
    is_late = models.BooleanField(_("late"), default=False)
    ingested_at = models.DateTimeField(_("received"), db_default=Now(), editable=False)
    processed_at = models.DateTimeField(_("added up"), db_default=Now(), null=True, editable=False)

    class Meta:
        db_table = "usage_events"
        ordering = ("-timestamp", "-id")
        verbose_name = _("usage event")
        verbose_name_plural = _("usage events")
        indexes = (models.Index(fields=["organisation", "project", "timestamp"], name="idx_usage_events_org_time"),)

    def __str__(self) -> str:
        return f"{self.metric_name} {self.metric_value} {self.unit}".strip()


class UsageEventKey(models.Model):
    """What makes an event unique: its project and idempotency key. Not partitioned, so that the same key of another
    month is found too. ``payload_hash`` (SHA-256, first 16 bytes) tells a repeat from another event under its key."""

    pk = models.CompositePrimaryKey("project_id", "idempotency_key")
    project = models.ForeignKey(Project, models.PROTECT, **_SOFT)
    idempotency_key = models.CharField(max_length=200)
    payload_hash = models.BinaryField(max_length=16)
    timestamp = models.DateTimeField()

    class Meta:
        db_table = "usage_event_keys"

    def __str__(self) -> str:
        return self.idempotency_key
