"""The periodic tasks in the console.

Not in ``hpcbilling.admin``: that module is imported to make the site, and what it registers meanwhile is lost.
"""

from __future__ import annotations

from django.contrib import admin

from core.admin import ReadOnlyAdmin
from hpcbilling.models import PeriodicTask


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ReadOnlyAdmin):
    """To look at only: ``run_due`` writes it."""

    list_display = ("name", "last_run_at", "last_status", "claimed_until", "last_error")
