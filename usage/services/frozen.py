"""Stretches of job ends in which stored jobs are not changed in place; rooms above name them in ``USAGE_FROZEN``."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.db import connection

from core.periods import Window
from core.registry import load


def frozen_windows() -> list[Window]:
    """All of them, as instants. Each plug-in also sees to it that none is added before the transaction ends."""
    return [window for name in settings.USAGE_FROZEN for window in load("USAGE_FROZEN", name)()]


def holds(windows: list[Window], column: str) -> str:
    """SQL: whether the timestamp ``column`` lies in one of ``windows``."""
    parts = [
        f"({column} >= {_literal(window.start)} AND {column} < {_literal(window.end)})"
        for window in windows
        if window.start and window.end
    ]
    return f"({' OR '.join(parts)})" if parts else "(1 = 0)"


def _literal(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f"timestamptz '{utc.isoformat()}'" if connection.vendor == "postgresql" else f"'{utc:%Y-%m-%d %H:%M:%S}'"
