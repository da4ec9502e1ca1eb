"""Fees that subscriptions have come to, until an invoice takes them up."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.words.wording import money_text
from subscriptions.models import PlanPrice, Subscription


class ChargeKind(models.TextChoices):
    FEE = "fee", _("fee of a period")
    PRORATION = "proration", _("part of a period")
    CREDIT = "credit", _("credit for the rest of a period")


class SubscriptionCharge(models.Model):
    """A fee that a subscription has come to; the invoice of its month takes it up (``claimed_by`` names the document,
    as jobs have it; empty: on none yet). One fee a subscription and period, whoever renews it."""

    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="charges", verbose_name=_("subscription")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=ChargeKind)
    price = models.ForeignKey(PlanPrice, models.PROTECT, related_name="charges", verbose_name=_("plan fee"))
    period_start = models.DateTimeField(_("from"))
    period_end = models.DateTimeField(_("to"))
    amount = models.DecimalField(_("amount"), max_digits=18, decimal_places=4, help_text=_("Negative: a credit."))
    currency = models.CharField(_("currency"), max_length=3)
    due_at = models.DateTimeField(_("belongs to the invoice of"), db_index=True)
    explanation = models.JSONField(_("how it came about"), default=dict, blank=True)
    claimed_by = models.CharField(_("billed on"), max_length=40, blank=True, default="")
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "subscription_charges"
        ordering = ("-id",)
        verbose_name = _("fee of a subscription")
        verbose_name_plural = _("fees of subscriptions")
        constraints = (
            models.UniqueConstraint(
                fields=["subscription", "period_start"],
                condition=models.Q(kind=ChargeKind.FEE),
                name="subscription_charges_one_fee_a_period",
            ),
            models.CheckConstraint(
                condition=models.Q(period_end__gt=models.F("period_start")), name="subscription_charges_period_ordered"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=ChargeKind.values), name="subscription_charges_kind_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {money_text(self.amount, self.currency)}"
