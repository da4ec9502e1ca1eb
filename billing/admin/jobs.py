"""Jobs as ``usage`` shows them, with what became of each: on which receipt, or why on none."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from billing.selectors.jobs.standing import standing_of
from usage.admin.jobs import JobAdmin
from usage.models import Job


@admin.register(Job)
class BillableJobAdmin(JobAdmin):
    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> list[Any]:
        return [(None, {"fields": ("standing",)}), *super().get_fieldsets(request, obj)]

    @admin.display(description=_("billing"))
    def standing(self, job: Job) -> str:
        found = standing_of(job)
        if found.code == "billed" and found.link:
            return format_html('<a href="{}">{}</a>', found.link, found.words)
        return found.words
