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
