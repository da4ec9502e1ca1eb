from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from core import number_fields
        from core.console import worded
        from core.database import decimals
        from core.words import era

        era.install()
        number_fields.install()
        worded.install()
        connection_created.connect(decimals.install)
