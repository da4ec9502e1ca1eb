"""The catalogue of AI models, with their list prices by date."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.console.worded import worded
from core.lines import LineField

PRICE_DIGITS: dict[str, Any] = {"max_digits": 18, "decimal_places": 9}


class AiModel(models.Model):
    """``id`` is the name that callers use, as the model server has it. Prices here are those in force now, kept in
    step with the newest row of ``ai_model_prices``; a ``restricted`` model is open only through a subscription."""

    id = models.CharField(_("model"), max_length=255, primary_key=True)
    name = LineField(_("name"), max_length=255)
    provider = LineField(_("provider"), max_length=100, blank=True)
    description = models.TextField(_("description"), blank=True)
    capabilities = models.JSONField(_("can do"), default=list, blank=True)
    context_length = models.PositiveIntegerField(_("context length"), null=True, blank=True)
    input_price_per_1k = models.DecimalField(_("1,000 input tokens"), null=True, blank=True, **PRICE_DIGITS)
    output_price_per_1k = models.DecimalField(_("1,000 output tokens"), null=True, blank=True, **PRICE_DIGITS)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    metadata = models.JSONField(_("further facts"), default=dict, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    restricted = models.BooleanField(
        _("restricted"), default=False, help_text=_("Only a subscription that names it opens it.")
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("last change"), auto_now=True, editable=False)

    class Meta:
        db_table = "ai_models"
        ordering = ("id",)
        verbose_name = _("AI model")
        verbose_name_plural = _("AI models")
        indexes = (models.Index(fields=["provider"], name="idx_ai_models_provider"),)

    def __str__(self) -> str:
        return self.name


class AiModelPrice(models.Model):
    """Prices of 1,000 tokens from a moment on, until the next row. A class without a price of its own is priced as
    the class it is part of: cached input as input, reasoning as output."""

    model = models.ForeignKey(AiModel, models.PROTECT, related_name="prices", verbose_name=_("AI model"))
    effective_from = models.DateTimeField(_("from"))
    input_per_1k = models.DecimalField(_("1,000 input tokens"), **PRICE_DIGITS)
    output_per_1k = models.DecimalField(_("1,000 output tokens"), **PRICE_DIGITS)
    cached_input_per_1k = models.DecimalField(_("1,000 cached input tokens"), null=True, blank=True, **PRICE_DIGITS)
    reasoning_per_1k = models.DecimalField(_("1,000 reasoning tokens"), null=True, blank=True, **PRICE_DIGITS)
    currency = models.CharField(_("currency"), max_length=3)
    source = models.CharField(_("source"), max_length=40)
    set_by = models.CharField(_("set by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "ai_model_prices"
        ordering = ("model", "-effective_from")
        verbose_name = _("AI model price")
        verbose_name_plural = _("AI model prices")
        constraints = (
            models.UniqueConstraint(fields=["model", "effective_from"], name="ai_model_prices_model_from_unique"),
            models.CheckConstraint(
                condition=models.Q(input_per_1k__gte=0, output_per_1k__gte=0),
                name=worded("ai_model_prices_not_negative", _("Prices of tokens: give 0 or more.")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.model_id} {self.input_per_1k} / {self.output_per_1k} {self.currency}"
