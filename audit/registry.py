"""Names of everything that may be written to the log. Each app registers its own in ``ready()``."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise

_labels: dict[str, str | Promise] = {}


def register(actions: Mapping[str, str | Promise]) -> None:
    _labels.update(actions)


def known(action: str) -> bool:
    return action in _labels


def label(action: str) -> str:
    return str(_labels.get(action, action))


def choices() -> list[tuple[str, str]]:
    return sorted((name, str(text)) for name, text in _labels.items())
