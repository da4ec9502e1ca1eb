"""The second factor: an authenticator app (RFC 6238), and codes for when it is lost."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from accounts.models.users import User
from core import sealing


class SecondFactor(models.Model):
    """``secret`` is the app's seed in base32, as ``core.sealing`` keeps it. ``last_step``: the half minute whose code
    was used last; neither it nor an earlier one is taken again."""

    user = models.OneToOneField(
        User, models.CASCADE, primary_key=True, db_column="username", related_name="second_factor",
        verbose_name=_("user"),
    )  # fmt: skip
    secret = models.CharField(max_length=sealing.LENGTH, editable=False)
    last_step = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        db_table = "second_factors"
        verbose_name = _("second factor")
        verbose_name_plural = _("second factors")
        default_permissions = ()
        permissions = (("reset_secondfactor", gettext_noop("Can reset the second factor of a user")),)

    def __str__(self) -> str:
        return str(self.user_id)

    @property
    def seed(self) -> str:
        """Base32. Raises ``sealing.Sealed``."""
        return sealing.opened(self.secret)


class RecoveryCode(models.Model):
    """``code_hash``: SHA-256 in hex of a random code of 120 bits. Each works once."""

    user = models.ForeignKey(User, models.CASCADE, db_column="username", related_name="recovery_codes")
    code_hash = models.CharField(max_length=64, editable=False)
    used_at = models.DateTimeField(_("used"), null=True, blank=True, editable=False)

    class Meta:
        db_table = "recovery_codes"
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["user", "code_hash"], name="recovery_codes_unique"),)

    def __str__(self) -> str:
        return f"{self.user_id} #{self.pk}"
