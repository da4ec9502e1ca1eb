"""What an hour costs, by tier."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Tier
from core.console.worded import worded
from core.words.wording import moment_text

_NOT_NEGATIVE = [MinValueValidator(Decimal(0))]


class CpuBasis(models.TextChoices):
    ALLOCATED = "allocated", _("allocated cores × elapsed time")
    USED = "used", _("CPU time used")


class Rate(models.Model):
    """The current price of a tier, kept in step with its newest effective version."""

    tier = models.OneToOneField(Tier, models.PROTECT, primary_key=True, db_column="tier", verbose_name=_("tier"))
    cpu = models.DecimalField(_("per core-hour"), max_digits=12, decimal_places=6)
    gpu = models.DecimalField(_("per GPU-hour"), max_digits=12, decimal_places=6)
    mem = models.DecimalField(_("per GB-hour"), max_digits=12, decimal_places=6)
    updated_at = models.DateTimeField(_("updated"))

    class Meta:
        db_table = "rates"
        ordering = ("tier__position",)
        verbose_name = _("current rate")
        verbose_name_plural = _("current rates")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(cpu__gte=0, gpu__gte=0, mem__gte=0), name="rates_amounts_not_negative"
            ),
        )

    def __str__(self) -> str:
        return str(self.tier_id)


class RateVersion(models.Model):
    """Rates of a tier from a moment on, until the next version. Append-only: rows are never changed or removed."""

    tier = models.ForeignKey(Tier, models.PROTECT, db_column="tier", verbose_name=_("tier"))
    effective_at = models.DateTimeField(_("effective from"))
    cpu = models.DecimalField(_("per core-hour"), max_digits=12, decimal_places=6, validators=_NOT_NEGATIVE)
    gpu = models.DecimalField(_("per GPU-hour"), max_digits=12, decimal_places=6, validators=_NOT_NEGATIVE)
    mem = models.DecimalField(_("per GB-hour"), max_digits=12, decimal_places=6, validators=_NOT_NEGATIVE)
    cpu_basis = models.CharField(_("CPU basis"), max_length=10, choices=CpuBasis, default=CpuBasis.ALLOCATED)
    set_by = models.CharField(_("set by"), max_length=64, editable=False)
    note = models.CharField(_("reason"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "rates_versioned"
        ordering = ("tier__position", "-effective_at")
        verbose_name = _("rate version")
        verbose_name_plural = _("rates")
        constraints = (
            models.UniqueConstraint(fields=["tier", "effective_at"], name="rates_versioned_tier_effective_unique"),
            models.CheckConstraint(
                condition=models.Q(cpu__gte=0, gpu__gte=0, mem__gte=0),
                name=worded("rates_versioned_amounts_not_negative", _("Rates: give 0 or more.")),
            ),
            models.CheckConstraint(
                condition=models.Q(cpu_basis__in=CpuBasis.values), name="rates_versioned_cpu_basis_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.tier_id} {moment_text(self.effective_at)}"
