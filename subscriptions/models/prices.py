"""What plans cost by cycle and currency."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.console.worded import worded
from core.words.wording import money_text
from subscriptions.models.plans import Plan
from subscriptions.models.subscriptions import BillingCycle


class PlanPrice(models.Model):
    """The fee for one cycle, from a day on, until the next row. Append-only: a subscription keeps its row until it is
    renewed."""

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="prices", verbose_name=_("plan"))
    billing_cycle = models.CharField(_("billing cycle"), max_length=10, choices=BillingCycle)
    amount = models.DecimalField(_("fee"), max_digits=18, decimal_places=4)
    currency = models.CharField(_("currency"), max_length=3)
    effective_from = models.DateField(_("from"))
    set_by = models.CharField(_("set by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "plan_prices"
        ordering = ("plan", "billing_cycle", "currency", "-effective_from")
        verbose_name = _("plan fee")
        verbose_name_plural = _("plan fees")
        constraints = (
            models.UniqueConstraint(
                fields=["plan", "billing_cycle", "currency", "effective_from"], name="plan_prices_one_a_day"
            ),
            models.CheckConstraint(
                condition=models.Q(amount__gte=0),
                name=worded("plan_prices_not_negative", _("Fee: give 0 or more; 0 is free of charge.")),
            ),
            models.CheckConstraint(
                condition=models.Q(billing_cycle__in=BillingCycle.values), name="plan_prices_cycle_known"
            ),
        )

    def __str__(self) -> str:
        return f"{money_text(self.amount, self.currency)}, {self.get_billing_cycle_display()}"
