"""Stretches of time whose usage no import changes. ``settings.USAGE_FROZEN`` names who knows them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings

from core import registry
from core.periods import Window


def frozen_windows() -> list[Window]:
    """Asked inside the transaction that writes: the answer stays true until that ends.

    Called before any job is locked, so that nobody who closes something waits in a circle.
    """
    return [window for key in settings.USAGE_FROZEN for window in registry.load("USAGE_FROZEN", key)()]


def is_frozen(windows: Iterable[Window], *ends: datetime | None) -> bool:
    """Whether a job that ended at one of these moments is in one of the windows."""
    return any(window.holds(end) for window in windows for end in ends if end is not None)
