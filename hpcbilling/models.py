"""When each periodic command last ran, and who runs it now."""

from __future__ import annotations

from django.conf import settings
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


class SavedFilter(models.Model):
    """A filter of a console list that somebody uses again and again: the address behind the ``?``."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_column="username", related_name="saved_filters"
    )  # fmt: skip
    where = models.CharField(max_length=100)  # app_label.model_name of the list
    name = models.CharField(_("name"), max_length=60)
    query = models.CharField(max_length=2000)

    class Meta:
        db_table = "saved_filters"
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=["user", "where", "name"], name="saved_filters_name_unique"),)

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
