"""E-mail on its way out: written with the change that it tells of, sent later by ``send_emails``."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models.organisations import Organisation
from core.states import Transitions


class EmailStatus(models.TextChoices):
    PENDING = "pending", _("waiting")
    SENT = "sent", pgettext_lazy("of a message", "sent")
    FAILED = "failed", _("failed")


# Back to waiting only when somebody in the console sends it again.
EMAIL_TRANSITIONS: Transitions = {
    EmailStatus.PENDING: frozenset({EmailStatus.SENT, EmailStatus.FAILED}),
    EmailStatus.SENT: frozenset({EmailStatus.PENDING}),
    EmailStatus.FAILED: frozenset({EmailStatus.PENDING}),
}


class EmailNotification(models.Model):
    """A message to one address. ``invoice_id`` and ``payment_id`` are ids alone: this room knows no money.

    ``dedupe_key`` is what the message is about: the same is never queued twice. A sender holds the row until
    ``claimed_until``.
    """

    id = models.BigAutoField(primary_key=True)
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="emails", verbose_name=_("organisation")
    )
    invoice_id = models.BigIntegerField(_("invoice"), null=True, blank=True)
    payment_id = models.BigIntegerField(_("payment"), null=True, blank=True)
    recipient_email = models.EmailField(_("to"))
    language = models.CharField(_("language"), max_length=8, default="en")
    kind = models.CharField(_("kind"), max_length=40)
    subject = models.CharField(_("subject"), max_length=255)
    body_text = models.TextField(_("text"))
    body_html = models.TextField(_("page"), blank=True)
    # [{"name", "sha256", "type"}] of files in ``stored_files``: named by their content, not copied.
    attachments = models.JSONField(_("attached files"), default=list, blank=True)
    dedupe_key = models.CharField(max_length=120, unique=True, null=True, blank=True, editable=False)
    message_id = models.CharField(_("message id"), max_length=255, blank=True)
    status = models.CharField(_("status"), max_length=8, choices=EmailStatus, default=EmailStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    next_attempt_at = models.DateTimeField(_("next try"), db_default=Now())
    claimed_until = models.DateTimeField(_("held until"), null=True, blank=True)
    error_message = models.TextField(_("error"), blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    class Meta:
        db_table = "email_notifications"
        ordering = ("-id",)
        verbose_name = _("e-mail")
        verbose_name_plural = _("e-mails")
        indexes = (
            models.Index(
                fields=["invoice_id"], condition=models.Q(invoice_id__isnull=False), name="idx_email_of_invoice"
            ),
            models.Index(
                fields=["next_attempt_at"], condition=models.Q(status="pending"), name="idx_email_notifications_due"
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=EmailStatus.values), name="email_notifications_status_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.subject} → {self.recipient_email}"
