"""Closed months, and what was changed in them afterwards."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Cast, Now
from django.db.models.lookups import EndsWith
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from billing.models.receipts import Receipt
from core.words.wording import month_text
from usage.models import Adjustment


class ClosedMonth(models.Model):
    """A month of the site whose usage and documents stand. ``figures`` is the proof as it was then."""

    month = models.DateField(_("month"), unique=True, help_text=_("Its first day."))
    figures = models.JSONField(_("figures"), default=dict)
    note = models.CharField(_("note"), max_length=255, blank=True)
    closed_by = models.CharField(_("closed by"), max_length=64)
    closed_at = models.DateTimeField(_("closed"), db_default=Now(), editable=False)

    class Meta:
        db_table = "closed_months"
        ordering = ("-month",)
        verbose_name = _("closed month")
        verbose_name_plural = _("months")
        permissions = (("adjust_closedmonth", gettext_noop("Can adjust a closed month")),)
        constraints = (
            # as text: Django's own "day of" is a function that SQLite's tools do not have
            models.CheckConstraint(
                condition=EndsWith(Cast("month", models.TextField()), "-01"), name="closed_months_first_day"
            ),
            models.CheckConstraint(condition=~models.Q(closed_by=""), name="closed_months_by_somebody"),
        )

    def __str__(self) -> str:
        return month_text(self.month)

    @property
    def code(self) -> str:
        """The month as machines write it, whatever the language."""
        return f"{self.month:%Y-%m}"


class AdjustmentKind(models.TextChoices):
    LATE_USAGE = "late_usage", _("late usage billed")
    VOID = "void", _("receipt voided")
    CORRECTION = "correction", _("usage corrected")


class MonthAdjustment(models.Model):
    """A change that concerns a closed month, dated in an open one. Append-only.

    ``amount`` is what it adds to, or takes from, what the month was billed for, by the costs of its
    lines, as in its proof.
    A correction (``change`` was written to its job) bills nothing by itself; ``usage`` is what it adds to
    the month's jobs and seconds.
    """

    closed_month = models.ForeignKey(
        ClosedMonth, models.PROTECT, related_name="adjustments", verbose_name=_("closed month")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=AdjustmentKind)
    dated = models.DateField(_("dated"))
    receipt = models.ForeignKey(
        Receipt, models.PROTECT, null=True, blank=True, related_name="adjustments", verbose_name=_("receipt")
    )
    change = models.ForeignKey(
        Adjustment, models.PROTECT, null=True, blank=True, related_name="corrections", verbose_name=_("changed record")
    )
    usage = models.JSONField(_("usage"), default=dict, blank=True)
    jobs = models.PositiveIntegerField(_("jobs"))
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3)
    reason = models.CharField(_("reason"), max_length=255)
    made_by = models.CharField(_("made by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "month_adjustments"
        ordering = ("-id",)
        verbose_name = _("adjustment of a closed month")
        verbose_name_plural = _("adjustments of closed months")
        constraints = (
            models.UniqueConstraint(
                fields=["closed_month", "receipt", "kind"], name="month_adjustments_once_a_receipt"
            ),
            models.UniqueConstraint(fields=["closed_month", "change"], name="month_adjustments_once_a_change"),
            models.CheckConstraint(
                condition=models.Q(kind="correction", change__isnull=False, receipt__isnull=True)
                | (~models.Q(kind="correction") & models.Q(change__isnull=True, receipt__isnull=False)),
                name="month_adjustments_of_one_thing",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=AdjustmentKind.values), name="month_adjustments_kind_known"
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="month_adjustments_reason_given"),
            models.CheckConstraint(
                condition=models.Q(kind="late_usage", amount__gte=0)
                | models.Q(kind="void", amount__lte=0)
                | models.Q(kind="correction", amount=0),
                name="month_adjustments_sign",
            ),
        )

    def __str__(self) -> str:
        return f"{self.closed_month}: {self.get_kind_display()} {self.amount} {self.currency}"
