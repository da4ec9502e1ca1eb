"""Long work that somebody started from a page: it goes on without them, and says how far it is."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.states import Transitions


class WorkStatus(models.TextChoices):
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELED = "canceled", _("canceled")


_S = WorkStatus
WORK_TRANSITIONS: Transitions = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.CANCELED}),
    _S.RUNNING: frozenset({_S.QUEUED, _S.DONE, _S.FAILED}),
    _S.DONE: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELED: frozenset(),
}


class Work(models.Model):
    """``kind`` is a key of ``settings.WORK_KINDS``. A runner holds it until ``claimed_until``; who comes later than
    that takes it over, ``attempts`` times at most."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(_("kind"), max_length=30)
    title = models.CharField(_("work"), max_length=200)
    parameters = models.JSONField(_("asked for"), default=dict)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        db_column="username",
        related_name="work",
        verbose_name=_("started by"),
    )
    status = models.CharField(_("status"), max_length=8, choices=WorkStatus, default=WorkStatus.QUEUED)
    done = models.BigIntegerField(_("done so far"), default=0)
    percent = models.PositiveSmallIntegerField(_("percent"), null=True, blank=True)
    note = models.CharField(_("now at"), max_length=200, blank=True)
    result = models.JSONField(_("result"), default=dict, blank=True)
    errors = models.JSONField(_("errors"), default=list, blank=True)
    file_name = models.CharField(_("file"), max_length=120, blank=True)
    attempts = models.PositiveSmallIntegerField(_("times begun"), default=0)
    claimed_until = models.DateTimeField(_("held until"), null=True, blank=True)
    created_at = models.DateTimeField(_("asked"), db_default=Now(), editable=False)
    started_at = models.DateTimeField(_("begun"), null=True, blank=True)
    finished_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        db_table = "work"
        ordering = ("-id",)
        verbose_name = _("long work")
        verbose_name_plural = _("long work")
        indexes = (
            models.Index(fields=["status"], condition=models.Q(status__in=("queued", "running")), name="idx_work_open"),
        )
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=WorkStatus.values), name="work_status_known"),
            models.CheckConstraint(
                condition=models.Q(percent__isnull=True) | models.Q(percent__lte=100), name="work_percent_of_hundred"
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    @property
    def is_open(self) -> bool:
        return self.status in (WorkStatus.QUEUED, WorkStatus.RUNNING)


class WorkPiece(models.Model):
    """A piece of what was uploaded for a work, or of the file that it made. In the database: runners need no disk in
    common, and a piece is never larger than a megabyte."""

    work = models.ForeignKey(Work, models.CASCADE, related_name="pieces")
    is_input = models.BooleanField(default=False)
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        db_table = "work_pieces"
        ordering = ("work", "is_input", "number")
        constraints = (models.UniqueConstraint(fields=["work", "is_input", "number"], name="work_pieces_in_order"),)

    def __str__(self) -> str:
        return f"{self.work_id}/{self.number}"
