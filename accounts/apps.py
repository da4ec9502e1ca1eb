from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from accounts import actions, defaults
        from accounts.sign_in import sessions
        from audit import registry

        registry.register(actions.ACTIONS)
        post_migrate.connect(defaults.create_default_tiers, sender=self, dispatch_uid="accounts.tiers")
        user_logged_in.connect(sessions.note_sign_in, dispatch_uid="accounts.sign_in.sessions")
