from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy as _


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = _("Payments")

    def ready(self) -> None:
        from accounts import webhook_kinds
        from audit import registry
        from payments import actions, announcements, metrics, reports

        registry.register(actions.ACTIONS)
        webhook_kinds.register(announcements.KINDS)
        metrics.prewarm()
        pre_migrate.connect(reports.VIEWS.drop, sender=self, dispatch_uid="payments.drop_views")
        post_migrate.connect(reports.VIEWS.create, sender=self, dispatch_uid="payments.create_views")
