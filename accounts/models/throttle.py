"""Counters of the login lockout."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuthThrottle(models.Model):
    """Attempts of one (user name, address) in the current window. Written by ``accounts.sign_in.throttle`` only."""

    id = models.BigAutoField(primary_key=True)
    username = models.CharField(_("user name"), max_length=64)
    ip = models.CharField(_("address"), max_length=64)
    window_start = models.DateTimeField(_("window start"))
    fail_count = models.PositiveIntegerField(_("attempts"), default=0)
    locked_until = models.DateTimeField(_("locked until"), null=True, blank=True)

    class Meta:
        db_table = "auth_throttle"
        ordering = ("-window_start",)
        verbose_name = _("login lockout")
        verbose_name_plural = _("login lockouts")
        constraints = (models.UniqueConstraint(fields=["username", "ip"], name="auth_throttle_user_ip_unique"),)

    def __str__(self) -> str:
        return f"{self.username} @ {self.ip}"
