"""Plans and the limits that come with them."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from core.database.decimals import ExactDecimalField
from core.lines import LineField
from subscriptions.models.ai_models import AiModel


class Plan(models.Model):
    code = models.SlugField(_("code"), max_length=60, unique=True)
    name = LineField(_("name"), max_length=160)
    name_th = LineField(_("name in Thai"), max_length=160, blank=True)
    description = models.TextField(_("description"), blank=True)
    ai_model = models.ForeignKey(
        AiModel, models.PROTECT, null=True, blank=True, related_name="plans", verbose_name=_("AI model"),
        help_text=_("Empty: it is not about one model."),
    )  # fmt: skip
    requires_approval = models.BooleanField(_("needs approval"), default=True)
    trial_days = models.PositiveSmallIntegerField(_("trial days"), default=0)
    is_active = models.BooleanField(_("active"), default=True, help_text=_("Open for new subscriptions."))
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("last change"), auto_now=True, editable=False)

    class Meta:
        db_table = "plans"
        ordering = ("code",)
        verbose_name = _("plan")
        verbose_name_plural = _("plans")

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        return self.name_th if self.name_th and (get_language() or "").startswith("th") else self.name


class LimitWindow(models.TextChoices):
    HOUR = "hour", _("an hour")
    DAY = "day", _("a day")
    MONTH = "month", _("a month")
    TOTAL = "total", _("in all")


class PlanLimit(models.Model):
    """``metric`` is ``requests`` or ``tokens`` (of AI calls) or the name of a meter. A hard limit stops at it, a soft
    one only warns."""

    plan = models.ForeignKey(Plan, models.CASCADE, related_name="limits", verbose_name=_("plan"))
    metric = LineField(_("metric"), max_length=120)
    limit = ExactDecimalField(_("limit"), null=True, blank=True, help_text=_("Empty: no limit. 0: not allowed at all."))
    window = models.CharField(_("within"), max_length=5, choices=LimitWindow, default=LimitWindow.MONTH)
    is_hard = models.BooleanField(_("stops at the limit"), default=True)

    class Meta:
        db_table = "plan_limits"
        ordering = ("plan", "metric", "window")
        verbose_name = _("plan limit")
        verbose_name_plural = _("plan limits")
        constraints = (
            models.UniqueConstraint(fields=["plan", "metric", "window"], name="plan_limits_one_a_window"),
            models.CheckConstraint(condition=models.Q(window__in=LimitWindow.values), name="plan_limits_window_known"),
        )

    def __str__(self) -> str:
        return f"{self.metric} {'∞' if self.limit is None else self.limit} / {self.window}"
