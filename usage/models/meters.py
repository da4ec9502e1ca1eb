"""Meters: how a number is made of events."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from core.lines import LineField

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$"
PATH_PATTERN = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,4}$"


class Aggregation(models.TextChoices):
    COUNT = "count", _("count")
    SUM = "sum", _("sum")
    MAX = "max", _("largest")
    MIN = "min", _("smallest")
    UNIQUE = "unique", _("number of different values")
    LATEST = "latest", _("last value")


class Meter(models.Model):
    """``aggregation`` over the values of ``metric_name``, or, with ``value_path``, over what stands there in the
    metadata (``a.b.c``). What it reads never changes once made: make another and switch this one off."""

    code = models.CharField(_("code"), max_length=120, unique=True, validators=[RegexValidator(NAME_PATTERN)])
    name = LineField(_("name"), max_length=160, blank=True)
    name_th = LineField(_("name in Thai"), max_length=160, blank=True)
    metric_name = models.CharField(_("metric"), max_length=120, validators=[RegexValidator(NAME_PATTERN)])
    aggregation = models.CharField(_("makes"), max_length=6, choices=Aggregation, default=Aggregation.SUM)
    value_path = models.CharField(
        _("value in metadata"), max_length=200, blank=True, validators=[RegexValidator(PATH_PATTERN)],
        help_text=_("Such as tokens.input. Empty: the value of the event."),
    )  # fmt: skip
    unit = LineField(_("unit"), max_length=40, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "meters"
        ordering = ("code",)
        verbose_name = _("meter")
        verbose_name_plural = _("meters")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(aggregation__in=Aggregation.values), name="meters_aggregation_known"
            ),
        )

    def __str__(self) -> str:
        return self.code

    @property
    def label(self) -> str:
        thai = self.name_th if (get_language() or "").startswith("th") else ""
        return thai or self.name or self.code

    @property
    def is_derived(self) -> bool:
        """It needs rows of its own: the aggregates of its metric do not hold what it reads."""
        return bool(self.value_path) or self.aggregation == Aggregation.UNIQUE
