"""What a provider says came in and went out on a day, beside what we have."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ReconciliationDay(models.Model):
    """One provider, one day of the site's zone, one currency; minor units. Written anew by each run."""

    id = models.BigAutoField(primary_key=True)
    provider = models.CharField(_("provider"), max_length=30)
    day = models.DateField(_("day"))
    currency = models.CharField(_("currency"), max_length=3)
    provider_count = models.PositiveIntegerField(_("payments at the provider"), default=0)
    provider_cents = models.BigIntegerField(_("received at the provider"), default=0)
    provider_refunded_cents = models.BigIntegerField(_("given back at the provider"), default=0)
    our_count = models.PositiveIntegerField(_("payments here"), default=0)
    our_cents = models.BigIntegerField(_("received here"), default=0)
    our_refunded_cents = models.BigIntegerField(_("given back here"), default=0)
    unknown = models.JSONField(_("money of nobody"), default=list, blank=True)
    checked_at = models.DateTimeField(_("checked"))

    class Meta:
        db_table = "reconciliation_days"
        ordering = ("-day", "provider")
        verbose_name = _("reconciled day")
        verbose_name_plural = _("reconciled days")
        constraints = (
            models.UniqueConstraint(fields=["provider", "day", "currency"], name="reconciliation_days_unique"),
        )

    def __str__(self) -> str:
        return f"{self.provider} {self.day:%Y-%m-%d}"

    @property
    def difference_cents(self) -> int:
        """Provider minus us: received less given back, in minor units."""
        theirs = self.provider_cents - self.provider_refunded_cents
        return theirs - (self.our_cents - self.our_refunded_cents)
