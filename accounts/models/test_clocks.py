"""Test clocks: time that stands still for some organisations until somebody advances it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from core.states import Transitions


class ClockStatus(models.TextChoices):
    READY = "ready", _("ready")
    ADVANCING = "advancing", _("advancing")
    FAILED = "failed", _("stopped on the way")


_C = ClockStatus
CLOCK_TRANSITIONS: Transitions = {
    _C.READY: frozenset({_C.ADVANCING}),
    _C.ADVANCING: frozenset({_C.READY, _C.FAILED}),
    _C.FAILED: frozenset({_C.ADVANCING}),
}


class TestClock(models.Model):
    """``frozen_time`` is now, for every organisation that is bound to it; it only ever moves forward. While it is
    ``advancing`` it goes from instant to instant up to ``target_time``; whoever is interrupted goes on from where it
    stands."""

    __test__ = False  # no test case, whatever its name says

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=160, unique=True)
    frozen_time = models.DateTimeField(_("stands at"))
    target_time = models.DateTimeField(_("goes to"), null=True, blank=True, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=ClockStatus, default=ClockStatus.READY)
    failure = models.CharField(_("why it stopped"), max_length=500, blank=True)
    created_by = models.CharField(_("created by"), max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("last change"), auto_now=True, editable=False)

    class Meta:
        db_table = "test_clocks"
        ordering = ("name",)
        verbose_name = _("test clock")
        verbose_name_plural = _("test clocks")
        permissions = (("advance_testclock", gettext_noop("Can advance test clocks")),)
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=ClockStatus.values), name="test_clocks_status_known"),
            models.CheckConstraint(
                condition=models.Q(target_time__isnull=True) | models.Q(target_time__gte=models.F("frozen_time")),
                name="test_clocks_forward",
            ),
        )

    def __str__(self) -> str:
        return self.name
