"""The kinds of messages that webhook addresses may ask for. The rooms that tell of them name them at start."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise

_known: dict[str, str | Promise] = {}


def register(kinds: Mapping[str, str | Promise]) -> None:
    """``kinds``: name as it travels (``invoice.paid``) to its words for people."""
    _known.update(kinds)


def known() -> dict[str, str | Promise]:
    """All of them, by name."""
    return dict(sorted(_known.items()))
