"""The project's own app (front page, ops, commands that span apps) and its admin site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class FinanceAdminConfig(AdminConfig):
    default_site = "hpcbilling.admin.FinanceAdminSite"


class HpcBillingConfig(AppConfig):
    name = "hpcbilling"
    label = "hpcbilling"
