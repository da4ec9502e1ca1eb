"""Keys for machines. The key is shown once; what is kept cannot be turned back into it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

from accounts.models.organisations import Project
from accounts.models.users import User
from core.lines import LineField


class Scope(models.TextChoices):
    EVENTS_WRITE = "events:write", _("send usage events")
    USAGE_READ = "usage:read", _("read usage")
    BILLING_READ = "billing:read", _("read bills")
    ADMIN = "admin:*", _("everything its owner may do in the console")


class ApiKey(models.Model):
    """``key_hash`` is the SHA-256 of the whole key in hex, ``key_prefix`` its first 13 characters, which name it.

    A key belongs to a project or to a user; a user's key with the scope ``admin:*`` is an operator's. ``replaced_by``
    is set by rotation: this key then lives until ``expires_at``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(
        Project, models.PROTECT, null=True, blank=True, related_name="api_keys", verbose_name=_("project")
    )
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, db_column="username", related_name="api_keys",
        verbose_name=_("user"),
    )  # fmt: skip
    key_prefix = models.CharField(_("begins with"), max_length=16, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    name = LineField(_("name"), max_length=255)
    scopes = models.JSONField(pgettext_lazy("what a key is allowed", "may"), default=list)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    created_by = models.CharField(_("created by"), max_length=64)
    expires_at = models.DateTimeField(_("valid until"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    replaced_by = models.OneToOneField(
        "self", models.SET_NULL, null=True, blank=True, related_name="replaces", verbose_name=_("replaced by")
    )

    class Meta:
        db_table = "api_keys"
        ordering = ("-created_at",)
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        permissions = (("revoke_apikey", gettext_noop("Can revoke anybody's API key")),)
        indexes = (models.Index(fields=["key_prefix"], name="idx_api_keys_prefix"),)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(project__isnull=True) ^ models.Q(user__isnull=True), name="api_keys_one_owner"
            ),
            models.CheckConstraint(
                condition=models.Q(revoked_at__isnull=True) | models.Q(is_active=False), name="api_keys_revoked_is_off"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.key_prefix}…)"

    @property
    def owner(self) -> str:
        return str(self.project or self.user_id)

    @property
    def works(self) -> bool:
        return self.is_active and (self.expires_at is None or self.expires_at > timezone.now())
