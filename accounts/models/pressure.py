"""What the sign-in counters of one user name and address cannot see: many addresses at one name, many names from one
network. And the networks that a user came from before."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class SignInPressure(models.Model):
    """Attempts on one name (``name:alice``) or from one network (``net:192.0.2.0/24``). Times are unix milliseconds:
    one statement counts, compares and sets them, on both databases. Written by ``services.pressure`` only."""

    key = models.CharField(max_length=120, primary_key=True)
    window_start = models.BigIntegerField()
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.BigIntegerField()
    passed = models.PositiveSmallIntegerField(default=1)  # whether the latest was let by

    class Meta:
        db_table = "sign_in_pressure"
        verbose_name = _("pressure on sign-in")
        verbose_name_plural = _("pressure on sign-in")

    def __str__(self) -> str:
        return self.key


class KnownNetwork(models.Model):
    """Somebody signed in from here: attacks from elsewhere on their name do not slow them down."""

    username = models.CharField(_("user name"), max_length=64)
    network = models.CharField(_("network"), max_length=64)
    last_seen = models.DateTimeField(_("last seen"))

    class Meta:
        db_table = "known_networks"
        verbose_name = _("known network")
        verbose_name_plural = _("known networks")
        constraints = (models.UniqueConstraint(fields=["username", "network"], name="known_networks_unique"),)

    def __str__(self) -> str:
        return f"{self.username} @ {self.network}"
