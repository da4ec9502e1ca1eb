"""The periodic tasks in the console.

Not in ``hpcbilling.admin``: that module is imported to make the site, and what it registers meanwhile is lost.
"""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from core.console.admin import ReadOnlyAdmin
from core.console.list_filters import KnownFilter
from core.templatetags.hpc import status_chip
from core.words.said import read
from hpcbilling.models import PeriodicTask

WORDS = {
    "done": _("done"),
    "partial": _("done, some refused"),
    "busy": _("somebody else ran it"),
    "failed": _("failed"),
}


class ResultFilter(KnownFilter):
    title, parameter_name = _("result"), "last_status"
    known = staticmethod(lambda: [(name, str(word)) for name, word in WORDS.items()])


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ReadOnlyAdmin):
    """To look at only: ``run_due`` writes it."""

    list_display = ("name", "last_run_at", "result", "claimed_until", "error")
    list_filter = (ResultFilter,)
    fields = ("name", "last_run_at", "result", "claimed_until", "error")

    @admin.display(description=_("result"), ordering="last_status")
    def result(self, task: PeriodicTask) -> str:
        if not task.last_status:
            return "–"
        return status_chip(task.last_status, str(WORDS.get(task.last_status, task.last_status)))

    @admin.display(description=_("error"))
    def error(self, task: PeriodicTask) -> str:
        return read(task.last_error) or "–"
