"""The one plug-in pattern: a settings dict of key -> dotted path, loaded on first use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from core.errors import Misconfigured


def load(setting: str, key: str) -> Any:
    """Return the object that ``settings.<setting>[key]`` names. Raises ``Misconfigured``."""
    table: dict[str, str] = getattr(settings, setting)
    if key not in table:
        raise Misconfigured(f"{setting} knows no {key!r}; it has {', '.join(sorted(table)) or 'nothing'}.")
    try:
        return import_string(table[key])
    except ImportError as error:
        raise Misconfigured(f"{setting}[{key!r}] = {table[key]!r} cannot be loaded: {error}") from error
