from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = _("Audit")

    def ready(self) -> None:
        from audit import actions, registry, triggers

        registry.register(actions.ACTIONS)
        post_migrate.connect(triggers.install_after_migrate, sender=self, dispatch_uid="audit.triggers")
