"""What metered usage costs: prices by date, of one organisation or of all."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation
from core.console.worded import worded
from core.database.decimals import ExactDecimalField


class ChargeModel(models.TextChoices):
    STANDARD = "standard", _("each unit at one price")
    GRADUATED = "graduated", _("each step at its own price")
    VOLUME = "volume", _("all units at the price of the step reached")
    PACKAGE = "package", _("by whole packages")


class Quantity(models.TextChoices):
    """What of a metric's sums is priced; token classes have prices of their own."""

    VALUE = "value", _("sum of values")
    EVENTS = "events", _("number of events")
    REQUEST_TOKENS = "request_tokens", _("request tokens")
    RESPONSE_TOKENS = "response_tokens", _("response tokens")
    CACHED_TOKENS = "cached_tokens", _("cached request tokens")
    REASONING_TOKENS = "reasoning_tokens", _("reasoning tokens")


class PricingPlan(models.Model):
    """The price of one metric from a day on. Never changed once it is used: a new row ends the one before.

    An organisation's own price counts before one for all. ``metric_name`` is a metric or the code of a meter;
    ``model_id`` narrows it to one AI model. ``minimum_charge``: a month with any use costs at least that.
    """

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="pricing_plans",
        verbose_name=_("organisation"), help_text=_("Empty: for all."),
    )  # fmt: skip
    metric_name = models.CharField(_("metric"), max_length=120)
    quantity = models.CharField(_("priced by"), max_length=20, choices=Quantity, default=Quantity.VALUE)
    unit = models.CharField(_("unit"), max_length=40, blank=True)
    model_id = models.CharField(_("AI model"), max_length=255, blank=True)
    charge_model = models.CharField(_("charge model"), max_length=10, choices=ChargeModel, default=ChargeModel.STANDARD)
    price_per_unit = ExactDecimalField(_("price per unit"), null=True, blank=True, max_digits=30)
    package_size = ExactDecimalField(_("package size"), null=True, blank=True, max_digits=30)
    minimum_charge = models.DecimalField(_("minimum charge"), max_digits=16, decimal_places=4, default=0)
    currency = models.CharField(_("currency"), max_length=3)
    description = models.CharField(_("words on the invoice"), max_length=200, blank=True)
    description_th = models.CharField(_("words on the invoice in Thai"), max_length=200, blank=True)
    effective_from = models.DateField(_("from"))
    effective_to = models.DateField(_("until"), null=True, blank=True, help_text=_("The last day; empty: open."))
    is_active = models.BooleanField(_("active"), default=True)
    set_by = models.CharField(_("set by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "pricing_plans"
        ordering = ("metric_name", "organisation", "-effective_from")
        verbose_name = _("price of usage")
        verbose_name_plural = _("prices of usage")
        indexes = (models.Index(fields=["metric_name", "effective_from"], name="idx_pricing_plans_metric"),)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(charge_model__in=ChargeModel.values), name="pricing_plans_model_known"
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__in=Quantity.values), name="pricing_plans_quantity_known"
            ),
            models.CheckConstraint(
                condition=models.Q(effective_to__isnull=True) | models.Q(effective_to__gte=models.F("effective_from")),
                name="pricing_plans_dates_ordered",
            ),
            models.CheckConstraint(
                condition=models.Q(minimum_charge__gte=0),
                name=worded("pricing_plans_minimum_not_negative", _("Minimum charge: give 0 or more; 0 is none.")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.metric_name} {self.effective_from}"


class PricingStep(models.Model):
    """A step of a graduated or volume price: units up to ``up_to`` (included; empty: all above)."""

    plan = models.ForeignKey(PricingPlan, models.CASCADE, related_name="steps", verbose_name=_("price of usage"))
    up_to = ExactDecimalField(_("up to"), null=True, blank=True, max_digits=30)
    price_per_unit = ExactDecimalField(_("price per unit"), max_digits=30)
    flat_fee = models.DecimalField(_("fee for the step"), max_digits=16, decimal_places=4, default=0)

    class Meta:
        db_table = "pricing_steps"
        ordering = ("plan", "id")
        verbose_name = _("step")
        verbose_name_plural = _("steps")

    def __str__(self) -> str:
        return f"≤ {self.up_to if self.up_to is not None else '∞'}"


class ExchangeRate(models.Model):
    """1 ``base_currency`` = ``rate`` ``target_currency``, from a moment on until ``effective_to`` (empty: now)."""

    base_currency = models.CharField(_("from"), max_length=3)
    target_currency = models.CharField(_("to"), max_length=3)
    rate = models.DecimalField(_("exchange rate"), max_digits=24, decimal_places=12)
    effective_from = models.DateTimeField(_("valid from"))
    effective_to = models.DateTimeField(_("valid until"), null=True, blank=True)
    source = models.CharField(_("source"), max_length=20)
    metadata = models.JSONField(_("further facts"), default=dict, blank=True)
    set_by = models.CharField(_("set by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "exchange_rates"
        ordering = ("base_currency", "target_currency", "-effective_from")
        verbose_name = _("exchange rate")
        verbose_name_plural = _("exchange rates")
        constraints = (
            models.UniqueConstraint(
                fields=["base_currency", "target_currency", "effective_from"], name="exchange_rates_one_a_moment"
            ),
            models.UniqueConstraint(
                fields=["base_currency", "target_currency"],
                condition=models.Q(effective_to__isnull=True),
                name="exchange_rates_one_open",
            ),
            models.CheckConstraint(
                condition=models.Q(rate__gt=0),
                name=worded("exchange_rates_positive", _("Exchange rate: give more than 0.")),
            ),
            models.CheckConstraint(
                condition=~models.Q(base_currency=models.F("target_currency")),
                name=worded("exchange_rates_two_currencies", _("From and to: choose two different currencies.")),
            ),
            models.CheckConstraint(
                condition=models.Q(effective_to__isnull=True) | models.Q(effective_to__gt=models.F("effective_from")),
                name="exchange_rates_dates_ordered",
            ),
        )

    def __str__(self) -> str:
        return f"{self.base_currency} → {self.target_currency} {self.rate}"


class Discount(models.Model):
    """Off an organisation's invoices, before tax: a percentage, or an amount in its currency."""

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="discounts", verbose_name=_("organisation")
    )
    name = models.CharField(_("name"), max_length=120)
    percent = models.DecimalField(_("per cent"), max_digits=5, decimal_places=2, null=True, blank=True)
    amount = models.DecimalField(_("amount"), max_digits=16, decimal_places=4, null=True, blank=True)
    effective_from = models.DateField(_("from"))
    effective_to = models.DateField(_("until"), null=True, blank=True)
    set_by = models.CharField(_("set by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "discounts"
        ordering = ("organisation", "-effective_from")
        verbose_name = _("discount")
        verbose_name_plural = _("discounts")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(percent__isnull=True) ^ models.Q(amount__isnull=True),
                name=worded("discounts_one_kind", _("Per cent and amount: fill in one of them, not both.")),
            ),
            models.CheckConstraint(
                condition=models.Q(percent__isnull=True) | models.Q(percent__gt=0, percent__lte=100),
                name=worded("discounts_percent_of_hundred", _("Per cent: give more than 0 and at most 100.")),
            ),
        )

    def __str__(self) -> str:
        return self.name
