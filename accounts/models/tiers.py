"""Which kind of customer somebody is. What a tier costs is billing's affair."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from core.console.worded import worded
from core.lines import LineField


class Tier(models.Model):
    code = models.SlugField(_("code"), max_length=30, primary_key=True)
    name = LineField(_("name"), max_length=80)
    name_th = LineField(_("name in Thai"), max_length=80, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=100)

    class Meta:
        db_table = "tiers"
        ordering = ("position", "code")
        verbose_name = _("tier")
        verbose_name_plural = _("tiers")

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        return self.name_th if self.name_th and (get_language() or "").startswith("th") else self.name


class RuleKind(models.TextChoices):
    USER = "user", _("user name pattern")
    ACCOUNT = "account", _("Slurm account pattern")
    ORGANISATION = "organisation", _("organisation name pattern")


class TierRule(models.Model):
    """First active rule by position whose shell-style pattern matches decides."""

    position = models.PositiveIntegerField(_("position"), unique=True)
    kind = models.CharField(_("looks at"), max_length=20, choices=RuleKind)
    pattern = models.CharField(
        _("pattern"), max_length=120, help_text=_("Shell style: * any text, ? one character. Case does not matter.")
    )
    tier = models.ForeignKey(Tier, models.PROTECT, db_column="tier", verbose_name=_("tier"))
    is_active = models.BooleanField(_("active"), default=True)
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        db_table = "tier_rules"
        ordering = ("position",)
        verbose_name = _("tier rule")
        verbose_name_plural = _("tier rules")
        constraints = (
            models.CheckConstraint(condition=models.Q(kind__in=RuleKind.values), name="tier_rules_kind_known"),
            models.CheckConstraint(
                condition=~models.Q(pattern=""),
                name=worded("tier_rules_pattern_given", _("Pattern: say which names it fits; * fits all of them.")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.position}. {self.get_kind_display()} {self.pattern} → {self.tier_id}"


class TierOverride(models.Model):
    """One user's tier, against the rules, from a day to a day (both included), with the reason."""

    username = models.CharField(_("user name"), max_length=64)
    tier = models.ForeignKey(Tier, models.PROTECT, db_column="tier", verbose_name=_("tier"))
    reason = models.CharField(_("reason"), max_length=200)
    valid_from = models.DateField(_("from"), null=True, blank=True)
    valid_until = models.DateField(_("until"), null=True, blank=True)
    set_by = models.CharField(_("set by"), max_length=64, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "tier_overrides"
        ordering = ("username", "valid_from")
        verbose_name = _("tier override")
        verbose_name_plural = _("tier overrides")
        constraints = (
            models.UniqueConstraint(fields=["username", "valid_from"], name="tier_overrides_user_from_unique"),
            # NULLs differ from each other, and SQLite cannot be told otherwise
            models.UniqueConstraint(
                fields=["username"],
                condition=models.Q(valid_from__isnull=True),
                name=worded(
                    "tier_overrides_one_open_start_a_user",
                    _("From: this user has an override without a first day already; give this one a day."),
                ),
            ),
            models.CheckConstraint(
                condition=models.Q(valid_from__isnull=True)
                | models.Q(valid_until__isnull=True)
                | models.Q(valid_until__gte=models.F("valid_from")),
                name=worded("tier_overrides_dates_ordered", _("Until: choose a day that is not before the first.")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.username} → {self.tier_id}"
