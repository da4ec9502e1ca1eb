from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from core import decimals, era, number_fields, worded

        era.install()
        number_fields.install()
        worded.install()
        connection_created.connect(decimals.install)
