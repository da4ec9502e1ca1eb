"""Organisations and their projects: who stands behind a Slurm account."""

from __future__ import annotations

import uuid
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models.test_clocks import TestClock
from accounts.models.tiers import Tier
from accounts.models.users import User
from core.console.worded import worded
from core.lines import LineField
from core.money import is_currency

CURRENCY_PATTERN = r"^[A-Z]{3}$"
LANGUAGES = (("en", "English"), ("th", "ไทย"))
LANGUAGE_CODES = tuple(code for code, _name in LANGUAGES)


def site_currency() -> str:
    return str(settings.PAYMENT_CURRENCY)


def site_zone() -> str:
    return str(settings.TIME_ZONE)


def site_language() -> str:
    """The site's own where it is one of ours; it may be a dialect (``en-us``)."""
    return "th" if str(settings.LANGUAGE_CODE).startswith("th") else "en"


def check_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(_("%(name)s is no time zone; write it as Asia/Bangkok."), params={"name": name})


def check_currency(code: str) -> None:
    """Nothing has a price in one that is none, and no rate leads to it: a bill would find out, months later."""
    if not is_currency(code):
        raise ValidationError(_("Three capital letters of a currency, such as THB."))


class BillingMode(models.TextChoices):
    RECEIPTS = "receipts", _("receipts, by user")
    INVOICES = "invoices", _("invoices, by month")


class Organisation(models.Model):
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = LineField(_("name"), max_length=160, unique=True)
    tier = models.ForeignKey(Tier, models.PROTECT, db_column="tier", null=True, blank=True, verbose_name=_("tier"))
    billing_mode = models.CharField(_("billed by"), max_length=10, choices=BillingMode, default=BillingMode.RECEIPTS)
    billing_email = models.EmailField(_("e-mail for bills"), blank=True)
    currency = models.CharField(
        _("currency"),
        max_length=3,
        default=site_currency,
        validators=[check_currency],
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=60,
        default=site_zone,
        validators=[check_zone],
        help_text=_("Where its hours, days and months begin."),
    )
    language = models.CharField(
        _("language of bills"), max_length=8, choices=LANGUAGES, default=site_language, help_text=_("Of its e-mails.")
    )
    email_invoices = models.BooleanField(
        _("invoices by e-mail"), default=True, help_text=_("Each invoice goes to the e-mail for bills, with its PDF.")
    )
    bill_reminders = models.BooleanField(
        _("reminders of bills"), default=True,
        help_text=_("E-mails before an invoice is due, and while it is overdue."),
    )  # fmt: skip
    is_active = models.BooleanField(_("active"), default=True)
    test_clock = models.ForeignKey(
        TestClock, models.PROTECT, null=True, blank=True, editable=False, related_name="organisations",
        verbose_name=_("test clock"), help_text=_("Bound to one, it and all its documents are for tests, for good."),
    )  # fmt: skip
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("last change"), auto_now=True, editable=False)

    class Meta:
        db_table = "organisations"
        ordering = ("name",)
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(billing_mode__in=BillingMode.values), name="organisations_billing_mode_known"
            ),
            models.CheckConstraint(
                condition=models.Q(currency__regex=CURRENCY_PATTERN),
                name=worded(
                    "organisations_currency_known", _("Currency: three capital letters are wanted, such as THB.")
                ),
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def is_test(self) -> bool:
        return self.test_clock_id is not None

    def frozen_now(self) -> datetime | None:
        """Where its clock stands at this moment (read anew each time: it may be advancing); None: it has none. What
        has the organisation asks ``core.clock.now_for``."""
        if self.test_clock_id is None:
            return None
        return TestClock.objects.values_list("frozen_time", flat=True).get(pk=self.test_clock_id)


class Project(models.Model):
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT, verbose_name=_("organisation"))
    name = LineField(_("name"), max_length=160)
    description = models.TextField(_("description"), blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("last change"), auto_now=True, editable=False)

    class Meta:
        db_table = "projects"
        ordering = ("organisation", "name")
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        constraints = (
            models.UniqueConstraint(fields=["organisation", "name"], name="projects_organisation_name_unique"),
        )

    def __str__(self) -> str:
        return self.name


class ProjectAccount(models.Model):
    """A Slurm account that belongs to a project. One account belongs to one project."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="accounts", verbose_name=_("project"))
    account = LineField(_("Slurm account"), max_length=120, unique=True)

    class Meta:
        db_table = "project_accounts"
        ordering = ("account",)
        verbose_name = _("Slurm account")
        verbose_name_plural = _("Slurm accounts")

    def __str__(self) -> str:
        return self.account


class ProjectLead(models.Model):
    """Somebody who sees the usage of a project's members and pays for the project. Set by finance in the console."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="leads", verbose_name=_("project"))
    user = models.ForeignKey(User, models.CASCADE, db_column="username", related_name="leads", verbose_name=_("user"))
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "project_leads"
        ordering = ("user",)
        verbose_name = _("project lead")
        verbose_name_plural = _("project leads")
        constraints = (models.UniqueConstraint(fields=["project", "user"], name="project_leads_project_user_unique"),)

    def __str__(self) -> str:
        return str(self.user_id)
