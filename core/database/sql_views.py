"""SQL views for people's own queries. They are made anew after every ``migrate`` and dropped before it, so that a
migration may rebuild the tables they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connections


@dataclass(frozen=True, slots=True, weakref_slot=True)
class SqlViews:
    """``bodies`` gives name -> SELECT for a vendor (``postgresql``, ``sqlite``); ``needs``: the last table to come."""

    bodies: Callable[[str], Mapping[str, str]]
    needs: str

    def drop(self, using: str = "default", **kwargs: Any) -> None:
        with connections[using].cursor() as cursor:
            for name in self.bodies(connections[using].vendor):
                cursor.execute(f"DROP VIEW IF EXISTS {name}")

    def create(self, using: str = "default", **kwargs: Any) -> None:
        connection = connections[using]
        if self.needs not in connection.introspection.table_names():
            return
        self.drop(using)
        with connection.cursor() as cursor:
            for name, body in self.bodies(connection.vendor).items():
                cursor.execute(f"CREATE VIEW {name} AS {body}")
