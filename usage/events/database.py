"""The usual store: the database of the site."""

from __future__ import annotations

from django.db import connection

from usage.events.postgres import PostgresEvents
from usage.events.sqlite import SqliteEvents
from usage.events.store import EventStore


def database_events() -> EventStore:
    return PostgresEvents() if connection.vendor == "postgresql" else SqliteEvents()
