"""The finance console."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _


class FinanceAdminSite(admin.AdminSite):
    site_title = site_header = _("Finance console")
    index_title = _("What needs attention")
