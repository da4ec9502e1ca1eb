"""The project's own app (front page, ops, commands that span apps) and its admin site."""

import atexit
import gc
from typing import cast

from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.contrib.staticfiles.apps import StaticFilesConfig
from django.db.models.signals import post_migrate
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _


class FinanceAdminConfig(AdminConfig):
    default_site = "hpcbilling.admin.FinanceAdminSite"


class HpcBillingConfig(AppConfig):
    name = "hpcbilling"
    label = "hpcbilling"
    verbose_name = _("Operations")

    def ready(self) -> None:
        from accounts.roles import sync_groups
        from audit import registry
        from hpcbilling import checks, collector, periodic_admin  # noqa: F401 - two of them register on import

        registry.register({"demo_seed": _("Demo world made")})
        collector.register()
        _name_icons()
        _hide_tables_of_single_sign_on()
        _collect_what_is_asked_for()
        # The last app of all: by now ``migrate`` has created the permissions of every other.
        post_migrate.connect(sync_groups, sender=self, dispatch_uid="accounts.groups")
        gc.freeze()  # what a start makes stays as long as the process; see ``hpcbilling``
        gc.enable()
        atexit.register(gc.unfreeze)  # at its end all is cleared away: connections are closed, not left


def _collect_what_is_asked_for() -> None:
    """No page of ours asks for the browsable API or ReDoc, which take half of the time to compress and of the room."""
    collected = cast(StaticFilesConfig, apps.get_app_config("staticfiles"))
    collected.ignore_patterns = [*StaticFilesConfig.ignore_patterns, "rest_framework", "redoc"]


def _hide_tables_of_single_sign_on() -> None:
    """allauth brings pages that show tokens and secrets and write nothing to the audit log: the console has none."""
    from django.contrib import admin

    for model in list(admin.site._registry):
        if model._meta.app_label in ("account", "socialaccount"):
            admin.site.unregister(model)


def _name_icons() -> None:
    """Django names the pictures of yes and no "True" and "False" in every language; so readers would hear them."""
    from django.contrib.admin.templatetags import admin_list

    admin_list._boolean_icon = _icon  # type: ignore[attr-defined]


def _icon(value: bool | None) -> str:
    name, word = {True: ("yes", _("Yes")), False: ("no", _("No")), None: ("unknown", _("Unknown"))}[value]
    return format_html('<img src="{}" alt="{}">', static(f"admin/img/icon-{name}.svg"), word)
