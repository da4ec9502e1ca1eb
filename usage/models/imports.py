"""Where usage came from: clusters, import runs, and the rows that were refused."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Cluster(models.Model):
    name = models.CharField(_("name"), max_length=64, unique=True)
    timezone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        help_text=_("Zone of local times in its text output; empty: the site's."),
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        db_table = "clusters"
        ordering = ("name",)
        verbose_name = _("cluster")
        verbose_name_plural = _("clusters")

    def __str__(self) -> str:
        return self.name


class ImportStatus(models.TextChoices):
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    PARTIAL = "partial", _("done, some rows refused")
    FAILED = "failed", _("failed")


# Every row read gets exactly one; each is a column of ``ImportRun``.
VERDICTS = ("imported", "updated", "duplicate", "steps", "pending", "quarantined")


class ImportRun(models.Model):
    """One run of the importer. The counters by verdict add up to ``rows_read``."""

    source = models.CharField(_("source"), max_length=20)
    cluster = models.CharField(_("cluster"), max_length=64, blank=True)
    window_start = models.DateTimeField(_("from"), null=True, blank=True)
    window_end = models.DateTimeField(_("to"), null=True, blank=True)
    file_name = models.CharField(_("file"), max_length=255, blank=True)
    file_sha256 = models.CharField(_("SHA-256 of the file"), max_length=64, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=ImportStatus, default=ImportStatus.RUNNING)
    rows_read = models.PositiveBigIntegerField(_("rows read"), default=0)
    imported = models.PositiveBigIntegerField(_("imported"), default=0)
    updated = models.PositiveBigIntegerField(_("updated"), default=0)
    duplicate = models.PositiveBigIntegerField(_("already known"), default=0)
    steps = models.PositiveBigIntegerField(_("steps"), default=0)
    pending = models.PositiveBigIntegerField(_("not ended"), default=0)
    quarantined = models.PositiveBigIntegerField(_("refused"), default=0)
    by_reason = models.JSONField(_("refused, by reason"), default=dict)
    notes = models.JSONField(_("notes"), default=list)
    error = models.TextField(_("error"), blank=True)
    actor = models.CharField(_("started by"), max_length=64)
    started_at = models.DateTimeField(_("started"), db_default=Now())
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        db_table = "import_runs"
        ordering = ("-id",)
        verbose_name = _("import run")
        verbose_name_plural = _("import runs")
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=ImportStatus.values), name="import_runs_status_known"),
            models.CheckConstraint(
                condition=models.Q(
                    rows_read=models.F("imported")
                    + models.F("updated")
                    + models.F("duplicate")
                    + models.F("steps")
                    + models.F("pending")
                    + models.F("quarantined")
                ),
                name="import_runs_counters_add_up",
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.source}"


class QuarantinedRow(models.Model):
    """A row that was refused: its text as it came, and why. The same refused row is kept once."""

    run = models.ForeignKey(ImportRun, models.PROTECT, verbose_name=_("import run"))
    source = models.CharField(_("source"), max_length=20)
    line_no = models.PositiveBigIntegerField(_("line"), default=0)
    reason = models.CharField(_("reason"), max_length=40)
    detail = models.CharField(_("detail"), max_length=255, blank=True)
    raw = models.TextField(_("text of the row"))
    raw_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("first seen"), db_default=Now(), editable=False)

    class Meta:
        db_table = "quarantined_rows"
        ordering = ("-id",)
        verbose_name = _("quarantined row")
        verbose_name_plural = _("quarantined rows")

    def __str__(self) -> str:
        return f"{self.reason} ({self.line_no})"
