"""Every webhook call that reached us."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from payments.models.payments import Payment


class EventOutcome(models.TextChoices):
    RECEIVED = "received", _("received")
    PROCESSED = "processed", _("processed")
    IGNORED = "ignored", _("ignored")
    MISMATCH = "mismatch", _("does not match")
    FAILED = "failed", _("failed")
    REJECTED = "rejected", _("rejected")


class PaymentEvent(models.Model):
    """A repeat is recognised by the provider's id and by its bytes.

    Rejected calls keep no payload and share one row a provider, day and reason.
    ``next_try_at`` of an event that is not decided: nobody else works on it before then.
    """

    id = models.BigAutoField(primary_key=True)
    payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="events", verbose_name=_("payment")
    )
    provider = models.CharField(_("provider"), max_length=30)
    external_event_id = models.CharField(_("provider's event id"), max_length=255)
    event_type = models.CharField(_("event"), max_length=100, blank=True)
    signature_ok = models.BooleanField(_("signature good"), default=False)
    raw_payload = models.JSONField(_("payload"), default=dict, blank=True)
    body_sha256 = models.CharField(_("SHA-256 of the body"), max_length=64, blank=True)
    outcome = models.CharField(_("outcome"), max_length=12, choices=EventOutcome, default=EventOutcome.RECEIVED)
    detail = models.CharField(_("detail"), max_length=255, blank=True)
    deliveries = models.PositiveIntegerField(_("times received"), default=1)
    attempts = models.PositiveSmallIntegerField(_("times worked on"), default=0)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True)
    received_at = models.DateTimeField(_("received"), db_default=Now(), editable=False)
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True)

    class Meta:
        db_table = "payment_events"
        ordering = ("-id",)
        verbose_name = _("payment event")
        verbose_name_plural = _("payment events")
        permissions = (("replay_paymentevent", gettext_noop("Can work on payment messages again")),)
        indexes = (
            models.Index(
                fields=["next_try_at"],
                condition=models.Q(outcome__in=("received", "failed")),
                name="idx_events_waiting",
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=["provider", "external_event_id"], name="payment_events_external_unique"),
            models.UniqueConstraint(
                fields=["provider", "body_sha256"],
                condition=models.Q(signature_ok=True) & ~models.Q(body_sha256=""),
                name="payment_events_body_unique",
            ),
            models.CheckConstraint(
                condition=models.Q(outcome__in=EventOutcome.values), name="payment_events_outcome_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider} {self.external_event_id}"
