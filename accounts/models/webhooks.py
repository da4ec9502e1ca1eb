"""Calls to addresses of our customers: where to, what was sent, what they answered."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models.organisations import Organisation
from accounts.models.users import User
from core import sealing
from core.lines import LineField
from core.states import Transitions


class WebhookEndpoint(models.Model):
    """An address that gets signed messages (Standard Webhooks). It belongs to an organisation or to a user.

    ``secret`` is ``whsec_`` and 32 bytes in base64: it signs, so it is kept to be opened again (``core.sealing``), and
    shown once. After a change ``old_secret`` signs beside it until ``old_secret_until``.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="webhooks", verbose_name=_("organisation")
    )
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, db_column="username", related_name="webhooks",
        verbose_name=_("user"),
    )  # fmt: skip
    url = models.URLField(_("address"), max_length=500)
    description = LineField(_("description"), max_length=200, blank=True)
    secret = models.CharField(max_length=sealing.LENGTH, editable=False)
    old_secret = models.CharField(max_length=sealing.LENGTH, blank=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    created_by = models.CharField(_("created by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "webhook_endpoints"
        ordering = ("-id",)
        verbose_name = _("webhook address")
        verbose_name_plural = _("webhook addresses")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(organisation__isnull=True) ^ models.Q(user__isnull=True),
                name="webhook_endpoints_one_owner",
            ),
        )

    def __str__(self) -> str:
        return self.url

    @property
    def signing_secret(self) -> str:
        """Raises ``sealing.Sealed``."""
        return sealing.opened(self.secret)

    @property
    def old_signing_secret(self) -> str:
        """Empty where there was none. Raises ``sealing.Sealed``."""
        return sealing.opened(self.old_secret)


class WebhookKind(models.Model):
    """A kind of message that an address wants, of those in ``accounts.webhook_kinds``. Alerts name their address
    themselves and need none."""

    endpoint = models.ForeignKey(
        WebhookEndpoint, models.CASCADE, related_name="kinds", verbose_name=_("webhook address")
    )
    kind = models.CharField(_("kind"), max_length=60)

    class Meta:
        db_table = "webhook_kinds"
        ordering = ("kind",)
        verbose_name = _("kind of message")
        verbose_name_plural = _("kinds of messages")
        constraints = (models.UniqueConstraint(fields=["endpoint", "kind"], name="webhook_kinds_once"),)

    def __str__(self) -> str:
        return self.kind


class DeliveryStatus(models.TextChoices):
    PENDING = "pending", _("waiting")
    SENT = "sent", _("delivered")
    FAILED = "failed", _("given up")


DELIVERY_TRANSITIONS: Transitions = {
    DeliveryStatus.PENDING: frozenset({DeliveryStatus.SENT, DeliveryStatus.FAILED}),
    # sent once more, on demand
    DeliveryStatus.SENT: frozenset({DeliveryStatus.PENDING}),
    DeliveryStatus.FAILED: frozenset({DeliveryStatus.PENDING}),
}


class WebhookDelivery(models.Model):
    """One message to one address. ``message_id`` stays the same over all tries, so that the receiver knows a repeat."""

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(
        WebhookEndpoint, models.PROTECT, related_name="deliveries", verbose_name=_("webhook address")
    )
    message_id = models.CharField(_("message id"), max_length=60)
    event_type = models.CharField(_("kind"), max_length=60)
    body = models.TextField(_("body"))
    status = models.CharField(_("status"), max_length=8, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    next_attempt_at = models.DateTimeField(_("next try"), db_default=Now())
    claimed_until = models.DateTimeField(_("held until"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    sent_at = models.DateTimeField(_("delivered at"), null=True, blank=True)

    class Meta:
        db_table = "webhook_deliveries"
        ordering = ("-id",)
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")
        indexes = (
            models.Index(
                fields=["next_attempt_at"], condition=models.Q(status="pending"), name="idx_webhook_deliveries_due"
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=["endpoint", "message_id"], name="webhook_deliveries_message_unique"),
            models.CheckConstraint(
                condition=models.Q(status__in=DeliveryStatus.values), name="webhook_deliveries_status_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.event_type} {self.message_id}"


class WebhookAttempt(models.Model):
    """One try: what came back, or why nothing did. ``status_code`` is empty without an answer."""

    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="log")
    at = models.DateTimeField(_("at"), db_default=Now(), editable=False)
    status_code = models.PositiveSmallIntegerField(_("answer"), null=True, blank=True)
    milliseconds = models.PositiveIntegerField(_("milliseconds"))
    error = models.CharField(_("error"), max_length=300, blank=True)

    class Meta:
        db_table = "webhook_attempts"
        ordering = ("id",)
        verbose_name = _("try")
        verbose_name_plural = _("tries")

    def __str__(self) -> str:
        return f"{self.status_code or self.error}"
