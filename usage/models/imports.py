"""Where usage came from: clusters, import runs, and the rows that were refused."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.states import Transitions
from usage.reasons import in_words


class Cluster(models.Model):
    """A Slurm cluster, its zone, its source, and how far it has been read.

    ``read_until`` is the end of the newest window of a live source that was read whole.
    The ``top_`` columns are high-water marks: a record above either of them cannot be known
    yet. Only the import writes these three.
    """

    name = models.CharField(_("name"), max_length=64, unique=True)
    timezone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        help_text=_("Zone of local times in its text output; empty: the site's."),
    )
    source = models.CharField(
        _("source"),
        max_length=20,
        blank=True,
        default="",
        db_default="",
        help_text=_("Where its usage comes from; empty: the first source that answers."),
    )
    read_until = models.DateTimeField(_("read until"), null=True, blank=True, editable=False)
    top_job_id = models.BigIntegerField(null=True, editable=False)
    top_submit_at = models.DateTimeField(null=True, editable=False)
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
    """One run of the importer. The counters by verdict add up to ``rows_read``.

    ``data_until``: the end of a live source's window (never after the moment of asking), the last End in a file;
    None when that says nothing: a run of one user, a file in which nothing has ended.
    """

    source = models.CharField(_("source"), max_length=20)
    cluster = models.CharField(_("cluster"), max_length=64, blank=True)
    window_start = models.DateTimeField(_("from"), null=True, blank=True)
    window_end = models.DateTimeField(_("to"), null=True, blank=True)
    data_until = models.DateTimeField(_("data up to"), null=True, blank=True)
    file_name = models.CharField(_("file"), max_length=255, blank=True)
    file_sha256 = models.CharField(_("SHA-256 of the file"), max_length=64, blank=True)
    columns = models.JSONField(
        _("columns"), default=list, blank=True, help_text=_("Of its text rows, in order; none for JSON.")
    )
    delimiter = models.CharField(_("delimiter"), max_length=16, blank=True, default="", db_default="")
    timezone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text=_("Zone of local times in its text output; empty: the site's."),
    )
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


class ReviewStatus(models.TextChoices):
    OPEN = "open", _("to be reviewed")
    ACCEPTED = "accepted", _("accepted")
    DISMISSED = "dismissed", _("dismissed")


REVIEW_TRANSITIONS: Transitions = {
    ReviewStatus.OPEN: frozenset({ReviewStatus.ACCEPTED, ReviewStatus.DISMISSED}),
    ReviewStatus.ACCEPTED: frozenset(),
    ReviewStatus.DISMISSED: frozenset(),
}


class QuarantinedRow(models.Model):
    """A row that was refused: its text as it came, and why. The same refused row is kept once.

    Accepted: it was stored as the job ``job_key``, perhaps after a correction (``corrected``).
    ``job_id_display`` and ``username`` are what could be read of a broken row, to find it by; they may be empty.
    """

    run = models.ForeignKey(ImportRun, models.PROTECT, verbose_name=_("import run"))
    source = models.CharField(_("source"), max_length=20)
    line_no = models.PositiveBigIntegerField(_("line"), default=0)
    reason = models.CharField(_("reason"), max_length=40)
    detail = models.CharField(_("detail"), max_length=255, blank=True)
    raw = models.TextField(_("text of the row"))
    raw_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    job_id_display = models.CharField(_("job id"), max_length=80, blank=True, default="", db_default="")
    username = models.CharField(_("user"), max_length=120, blank=True, default="", db_default="")
    status = models.CharField(
        _("status"), max_length=10, choices=ReviewStatus, default=ReviewStatus.OPEN, db_default=ReviewStatus.OPEN
    )
    corrected = models.TextField(_("corrected text"), blank=True, default="", db_default="")
    job_key = models.CharField(_("job key"), max_length=160, blank=True, default="", db_default="")
    note = models.TextField(_("note"), blank=True, default="", db_default="")
    decided_by = models.CharField(_("decided by"), max_length=64, blank=True, default="", db_default="")
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    created_at = models.DateTimeField(_("first seen"), db_default=Now(), editable=False)

    class Meta:
        db_table = "quarantined_rows"
        ordering = ("-id",)
        verbose_name = _("quarantined row")
        verbose_name_plural = _("quarantined rows")
        indexes = (
            models.Index(fields=["job_id_display"], name="idx_quarantine_job"),
            models.Index(fields=["status", "-id"], name="idx_quarantine_status"),
        )
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=ReviewStatus.values), name="quarantine_status_known"),
            models.CheckConstraint(
                condition=models.Q(status=ReviewStatus.OPEN) | models.Q(decided_at__isnull=False),
                name="quarantine_decided_when",
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk}: {in_words(self.reason)}"
