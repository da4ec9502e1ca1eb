"""The hash-chained log. No foreign keys: a user or document may go, its record stays as it was hashed."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit import registry


class AuditLog(models.Model):
    """One sensitive action. Rows are written by ``audit.services.record`` and never change."""

    id = models.BigIntegerField(primary_key=True)
    ts = models.DateTimeField(_("time"))
    actor = models.CharField(_("actor"), max_length=150)
    action = models.CharField(_("action"), max_length=100)
    target = models.CharField(_("target"), max_length=255, blank=True)
    status = models.CharField(_("status"), max_length=40, blank=True)
    extra = models.JSONField(_("details"), default=dict, blank=True)
    ip = models.CharField(_("address"), max_length=64, blank=True)
    user_agent = models.CharField(_("browser"), max_length=255, blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)
    entity_type = models.CharField(_("kind of object"), max_length=60, blank=True)
    entity_id = models.CharField(_("object id"), max_length=150, blank=True)
    changes = models.JSONField(_("changes"), default=dict, blank=True)
    prev_hash = models.CharField(_("previous hash"), max_length=64, unique=True)
    hash = models.CharField(_("hash"), max_length=64, unique=True)

    class Meta:
        db_table = "audit_log"
        ordering = ("-id",)
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        indexes = (
            models.Index(fields=["-ts"], name="idx_audit_ts"),
            # what was done of one kind, latest first: the filter of the log
            models.Index(fields=["action", "-id"], name="idx_audit_action"),
            # "audit entries of this document", on explanations and object pages
            models.Index(fields=["entity_type", "entity_id"], name="idx_audit_entity"),
        )

    def __str__(self) -> str:
        return f"#{self.id} {self.action}"

    @property
    def action_label(self) -> str:
        return registry.label(self.action)


class AuditCheckpoint(models.Model):
    """Rows up to ``last_id`` were written to an archive and taken out of the table; signed, and never changed.

    ``signature`` (Ed25519 by ``key``) covers all the rest: see ``audit.checkpoints``.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("time"))
    first_id = models.BigIntegerField(_("first entry"))
    last_id = models.BigIntegerField(_("last entry"), unique=True)
    last_hash = models.CharField(_("hash"), max_length=64)
    last_ts = models.DateTimeField(_("time of the last entry"))
    archive = models.CharField(_("archive"), max_length=255)
    sha256 = models.CharField(_("SHA-256 of the archive"), max_length=64)
    key = models.CharField(_("key"), max_length=16)
    signature = models.CharField(_("signature"), max_length=128)

    class Meta:
        db_table = "audit_checkpoints"
        ordering = ("-last_id",)
        verbose_name = _("audit checkpoint")
        verbose_name_plural = _("audit checkpoints")
        constraints = (
            models.CheckConstraint(condition=models.Q(last_id__gte=models.F("first_id")), name="audit_checkpoint_span"),
        )

    def __str__(self) -> str:
        return f"#{self.first_id}–#{self.last_id}"


class AuditVerification(models.Model):
    """What ``verify_audit`` found, so that the console can show how far the log was looked at."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("time"), auto_now_add=True)
    first_id = models.BigIntegerField(_("first entry"))
    last_id = models.BigIntegerField(_("last entry"))
    head_hash = models.CharField(_("hash"), max_length=64)
    signed_id = models.BigIntegerField(_("last signed entry"), null=True)
    ok = models.BooleanField(_("intact"))
    first_bad = models.BigIntegerField(_("first bad entry"), null=True)
    reason = models.CharField(_("reason"), max_length=255, blank=True)

    class Meta:
        db_table = "audit_verifications"
        ordering = ("-id",)
        verbose_name = _("audit verification")
        verbose_name_plural = _("audit verifications")

    def __str__(self) -> str:
        return f"#{self.first_id}–#{self.last_id}"
