"""When each periodic command last ran, and who runs it now."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Figures(models.Model):
    """What takes a while to add up, and when it was true: kept by ``note_figures``, read by the front page."""

    name = models.CharField(max_length=30, primary_key=True)
    data = models.JSONField()
    noted_at = models.DateTimeField()

    class Meta:
        db_table = "figures"

    def __str__(self) -> str:
        return self.name


class PeriodicTask(models.Model):
    """One row a task of ``hpcbilling.periodic.TASKS``; runners claim it by a conditional UPDATE."""

    name = models.CharField(_("task"), max_length=60, unique=True)
    last_run_at = models.DateTimeField(_("last run"), null=True, blank=True)
    last_status = models.CharField(_("result"), max_length=20, blank=True)
    last_error = models.TextField(_("error"), blank=True)
    claimed_until = models.DateTimeField(_("being run until at most"), null=True, blank=True)

    class Meta:
        db_table = "periodic_tasks"
        ordering = ("name",)
        verbose_name = _("periodic task")
        verbose_name_plural = _("periodic tasks")

    def __str__(self) -> str:
        return self.name
