"""Which tax is on which line of an invoice: taxes with dated rates, and rules that say where each belongs."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation
from core.console.worded import worded
from subscriptions.models import Plan

CODE = 20  # with the rate it is the role of an account in the journal


class TaxCategory(models.TextChoices):
    """As in UNCL5305, which tax authorities and e-invoices use."""

    STANDARD = "S", _("taxed")
    ZERO = "Z", _("taxed at 0 %")
    EXEMPT = "E", _("exempt")
    OUTSIDE = "O", _("outside the tax")


class TaxedKind(models.TextChoices):
    JOBS = "jobs", _("Slurm jobs")
    USAGE = "usage", _("metered usage, with its minimum charges")
    FEES = "fees", _("plan fees, with their credits")


class TaxRate(models.Model):
    """What a tax is from a day on. Never changed: a later row of the same ``code`` takes its place, from its own day;
    of the same day the one that was written last counts."""

    code = models.SlugField(_("code"), max_length=CODE)
    category = models.CharField(_("tax category"), max_length=2, choices=TaxCategory)
    label = models.CharField(_("words on the invoice"), max_length=30)
    rate = models.DecimalField(_("rate (%)"), max_digits=5, decimal_places=2, default=Decimal(0))
    reason = models.CharField(_("reason on the invoice"), max_length=255, blank=True)
    reason_th = models.CharField(_("reason in Thai"), max_length=255, blank=True)
    effective_from = models.DateField(_("from"))
    set_by = models.CharField(_("set by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "tax_rates"
        ordering = ("code", "-effective_from", "-id")
        verbose_name = _("tax rate")
        verbose_name_plural = _("tax rates")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(category__in=TaxCategory.values), name="tax_rates_category_known"
            ),
            models.CheckConstraint(
                condition=models.Q(category=TaxCategory.STANDARD, rate__gt=0, rate__lte=100)
                | (~models.Q(category=TaxCategory.STANDARD) & models.Q(rate=0)),
                name=worded(
                    "tax_rates_rate_of_category",
                    _("Rate: give more than 0 and at most 100 where tax is due (S), else 0."),
                ),
            ),
        )

    def __str__(self) -> str:
        return self.code


class TaxRule(models.Model):
    """Where the tax ``tax`` (a code of ``TaxRate``) belongs: on everything, on a kind of line, on what is charged for a
    metric, or on the fees of a plan; of one organisation or of all. ``reason``: why, in place of the tax's own."""

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="tax_rules",
        verbose_name=_("organisation"), help_text=_("Empty: for all."),
    )  # fmt: skip
    kind = models.CharField(_("kind of line"), max_length=10, choices=TaxedKind, blank=True)
    metric_name = models.CharField(_("metric"), max_length=120, blank=True)
    plan = models.ForeignKey(
        Plan, models.PROTECT, null=True, blank=True, related_name="tax_rules", verbose_name=_("plan")
    )
    tax = models.CharField(_("tax"), max_length=CODE)
    reason = models.CharField(_("reason on the invoice"), max_length=255, blank=True)
    reason_th = models.CharField(_("reason in Thai"), max_length=255, blank=True)
    effective_from = models.DateField(_("from"))
    effective_to = models.DateField(_("until"), null=True, blank=True, help_text=_("The last day; empty: open."))
    set_by = models.CharField(_("set by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "tax_rules"
        ordering = ("-effective_from", "-id")
        verbose_name = _("tax rule")
        verbose_name_plural = _("tax rules")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(kind__in=("", *TaxedKind.values)), name="tax_rules_kind_known"
            ),
            models.CheckConstraint(
                condition=(models.Q(kind="", metric_name="") | models.Q(kind="", plan__isnull=True)
                           | models.Q(metric_name="", plan__isnull=True)),
                name=worded(
                    "tax_rules_one_target",
                    _("Kind of line, metric and plan: choose one of them, or none for everything."),
                ),
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.tax} {self.effective_from}"
