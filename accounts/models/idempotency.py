"""Writes of the API that were sent under a key of the caller's, and what they were answered."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class IdempotentRequest(models.Model):
    """``request_hash`` is of method, address and body: a key is good for one request. ``status_code`` is empty while
    somebody works on it, until ``claimed_until`` at most. ``caller`` is a user's name or a key's, as the audit log has
    it: people leave, what they sent stays. ``rights`` is a hash of what the caller could reach: an answer is repeated
    to the same rights only."""

    id = models.BigAutoField(primary_key=True)
    caller = models.CharField(_("caller"), max_length=150)
    key = models.CharField(_("idempotency key"), max_length=255)
    request_hash = models.CharField(_("hash of the request"), max_length=64)
    status_code = models.PositiveSmallIntegerField(_("answer"), null=True, blank=True)
    body = models.JSONField(_("body"), null=True, blank=True)
    rights = models.CharField(_("rights when answered"), max_length=64, default="", db_default="", editable=False)
    claimed_until = models.DateTimeField(_("held until"))
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "idempotent_requests"
        ordering = ("-id",)
        verbose_name = _("write under a key")
        verbose_name_plural = _("writes under keys")
        constraints = (models.UniqueConstraint(fields=["caller", "key"], name="idempotent_requests_key_once"),)

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"
