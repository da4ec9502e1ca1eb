from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SubscriptionsConfig(AppConfig):
    name = "subscriptions"
    verbose_name = _("Subscriptions")

    def ready(self) -> None:
        from accounts import webhook_kinds
        from audit import registry
        from subscriptions import actions, announcements

        registry.register(actions.ACTIONS)
        webhook_kinds.register(announcements.KINDS)
