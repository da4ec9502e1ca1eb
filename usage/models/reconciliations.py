"""What is stored held against what the source says, per month, user and account."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class ReconciliationStatus(models.TextChoices):
    RUNNING = "running", _("running")
    EQUAL = "equal", _("equal")
    DIFFERS = "differs", _("differs")
    FAILED = "failed", _("failed")


class Reconciliation(models.Model):
    """One comparison of a cluster's ended jobs in ``[window_start, window_end)`` with its source."""

    cluster = models.CharField(_("cluster"), max_length=64)
    source = models.CharField(_("source"), max_length=20)
    window_start = models.DateTimeField(_("from"))
    window_end = models.DateTimeField(_("to"))
    status = models.CharField(
        _("status"), max_length=10, choices=ReconciliationStatus, default=ReconciliationStatus.RUNNING
    )
    groups = models.PositiveIntegerField(_("compared"), default=0, help_text=_("Months x users x accounts."))
    differing = models.PositiveIntegerField(_("differing"), default=0)
    notes = models.JSONField(_("notes"), default=list, blank=True)
    error = models.TextField(_("error"), blank=True, default="")
    actor = models.CharField(_("started by"), max_length=64)
    started_at = models.DateTimeField(_("started"), db_default=Now())
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        db_table = "reconciliations"
        ordering = ("-id",)
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=ReconciliationStatus.values), name="reconciliation_status_known"
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.cluster}"


class ReconciliationLine(models.Model):
    """One month (site's zone), user and account. Jobs and seconds: stored here, and at the source.

    ``sreport_cpu`` and ``sreport_gpu`` are what sreport says of the month (jobs cut at its
    ends), beside ``clipped_cpu`` and ``clipped_gpu``, the stored jobs cut the same way; null
    where sreport was not asked.
    """

    reconciliation = models.ForeignKey(Reconciliation, models.CASCADE, related_name="lines")
    month = models.DateField(_("month"))
    username = models.CharField(_("user"), max_length=120)
    account = models.CharField(_("account"), max_length=120, blank=True, default="")
    stored_jobs = models.BigIntegerField(_("jobs stored"), default=0)
    source_jobs = models.BigIntegerField(_("jobs at the source"), default=0)
    stored_cpu = models.BigIntegerField(_("core seconds stored"), default=0)
    source_cpu = models.BigIntegerField(_("core seconds at the source"), default=0)
    stored_gpu = models.BigIntegerField(_("GPU seconds stored"), default=0)
    source_gpu = models.BigIntegerField(_("GPU seconds at the source"), default=0)
    stored_mem = models.BigIntegerField(_("MiB seconds stored"), default=0)
    source_mem = models.BigIntegerField(_("MiB seconds at the source"), default=0)
    clipped_cpu = models.BigIntegerField(_("core seconds stored, cut at the month"), null=True, blank=True)
    sreport_cpu = models.BigIntegerField(_("core seconds by sreport"), null=True, blank=True)
    clipped_gpu = models.BigIntegerField(_("GPU seconds stored, cut at the month"), null=True, blank=True)
    sreport_gpu = models.BigIntegerField(_("GPU seconds by sreport"), null=True, blank=True)
    differs = models.BooleanField(_("differs"), default=False)

    class Meta:
        db_table = "reconciliation_lines"
        ordering = ("-differs", "month", "username", "account")
        verbose_name = _("line of a reconciliation")
        verbose_name_plural = _("lines of reconciliations")
        constraints = (
            models.UniqueConstraint(
                fields=["reconciliation", "month", "username", "account"], name="reconciliation_lines_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.username} {self.account}"
