"""The finance console: Django's admin with a front page that says what needs attention."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from hpcbilling import frontpage


class FinanceAdminSite(admin.AdminSite):
    site_title = site_header = _("Finance console")
    index_title = _("What needs attention")
    enable_nav_sidebar = False  # wide tables need the room; the bar on top leads to the main lists

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().each_context(request), "console_nav": frontpage.main_lists(request)}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**frontpage.context(request), **(extra_context or {})})
