"""What an import found and did not decide by itself: changes of jobs that stand as they are."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from usage.models.imports import ImportRun, ReviewStatus
from usage.models.jobs import Job


class Adjustment(models.Model):
    """A job's record differs at its source from the stored one, which stands. The job itself is not edited.

    It stands because a document bills it, or (``document`` is empty) because it ended, or
    would end by the new record, in a month that is closed.

    ``before`` and ``after`` hold the columns that differ (names of ``jobs``; times in epoch
    seconds); ``record`` is the whole new record, ready to be written once no document
    claims the job. At most one adjustment of a job is open: that of the record which the
    source showed last (``digest`` tells records apart). ``closed_by_run`` is the import
    that closed it, where no person did.
    """

    job = models.ForeignKey(Job, models.PROTECT, verbose_name=_("job"))
    run = models.ForeignKey(ImportRun, models.PROTECT, verbose_name=_("import run"))
    document = models.CharField(_("billed on"), max_length=40)
    before = models.JSONField(_("as billed"))
    after = models.JSONField(_("at the source now"))
    record = models.JSONField(editable=False)
    digest = models.CharField(max_length=64, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=ReviewStatus, default=ReviewStatus.OPEN)
    note = models.TextField(_("note"), blank=True, default="")
    decided_by = models.CharField(_("decided by"), max_length=64, blank=True, default="")
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    closed_by_run = models.ForeignKey(
        ImportRun, models.PROTECT, null=True, blank=True, related_name="+", db_index=False,
        verbose_name=_("closed by import run"),
    )  # fmt: skip
    created_at = models.DateTimeField(_("first seen"), db_default=Now(), editable=False)

    class Meta:
        db_table = "usage_adjustments"
        ordering = ("-id",)
        verbose_name = _("adjustment")
        verbose_name_plural = _("adjustments")
        indexes = (models.Index(fields=["status", "-id"], name="idx_adjustments_status"),)
        constraints = (
            models.UniqueConstraint(
                fields=["job"], condition=models.Q(status=ReviewStatus.OPEN), name="usage_adjustments_one_open"
            ),
            models.CheckConstraint(condition=models.Q(status__in=ReviewStatus.values), name="adjustment_status_known"),
            models.CheckConstraint(
                condition=models.Q(status=ReviewStatus.OPEN) | models.Q(decided_at__isnull=False),
                name="adjustment_decided_when",
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.document}".strip()
