from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        from accounts import webhook_kinds
        from audit import registry
        from billing import actions, announcements, triggers

        registry.register(actions.ACTIONS)
        webhook_kinds.register(announcements.KINDS)
        post_migrate.connect(triggers.install_after_migrate, sender=self, dispatch_uid="billing.triggers")
        post_migrate.connect(_default_rates, sender=self, dispatch_uid="billing.default_rates")
        post_migrate.connect(_default_chart, sender=self, dispatch_uid="billing.default_chart")


def _default_rates(using: str, **kwargs: Any) -> None:
    from django.db import connections

    from billing.services.pricing import rates

    if using == "default" and "rates_versioned" in connections[using].introspection.table_names():
        rates.ensure_default_rates()


def _default_chart(using: str, **kwargs: Any) -> None:
    from django.db import connections

    from billing.services.ledger import chart

    if using == "default" and "journal_export_columns" in connections[using].introspection.table_names():
        chart.ensure_chart()
