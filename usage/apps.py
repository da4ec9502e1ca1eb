from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy as _


class UsageConfig(AppConfig):
    name = "usage"
    verbose_name = _("Usage")

    def ready(self) -> None:
        from audit import registry
        from usage import actions, reports

        registry.register(actions.ACTIONS)
        pre_migrate.connect(reports.VIEWS.drop, sender=self, dispatch_uid="usage.drop_views")
        post_migrate.connect(reports.VIEWS.create, sender=self, dispatch_uid="usage.create_views")
