"""Texts that are kept for later readers: stored as the English text and what goes into it, read in any language."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext, ngettext

Stored = Any  # JSON: a text as it stands, or [text, parameters] or [one, many, number, parameters]


class Said(str):
    """A text in the language of now that also knows how it came about."""

    __slots__ = ("stored",)
    stored: Stored

    @classmethod
    def of(cls, stored: Stored) -> Said:
        said = cls(heard(stored))
        said.stored = stored
        return said

    def __mod__(self, parameters: Any) -> Said:
        """What ``told`` gave, filled in; a text that is full already is shown as it stands."""
        if isinstance(self.stored, list) and isinstance(parameters, dict) and not self.stored[-1]:
            return say(self.stored[0], **parameters)
        return Said.of(str(self) % parameters)


def say(text: str, /, **parameters: object) -> Said:
    """``text`` is English, marked by ``gettext_noop``; its ``%(name)s`` are the parameters."""
    return Said.of([text, {name: to_store(value) for name, value in parameters.items()}])


def told(text: str) -> Said:
    """``gettext`` whose text, filled in by ``%`` or not, remembers how it came about. Imported as ``_``."""
    return say(text)


def to_store(value: object) -> Stored:
    """What JSON keeps of a text, or of a list of them; a text that was not said stays as it is."""
    if isinstance(value, Said):
        return value.stored
    if isinstance(value, (list, tuple)):
        return [to_store(each) for each in value]
    return value if isinstance(value, int) else str(value)


def lines(texts: Iterable[str]) -> Said:
    """Several texts under each other, each of which stays as it was said."""
    found = list(texts)
    return say("\n".join(f"%(line{place})s" for place in range(len(found))), **{
        f"line{place}": text for place, text in enumerate(found)
    })  # fmt: skip


def written(text: str, *, most: int) -> str:
    """For a column of text, ``most`` characters: what was said as JSON, anything else as it stands."""
    if isinstance(text, Said) and len(kept := json.dumps(text.stored, ensure_ascii=False)) <= most:
        return kept
    return text[:most]


def read(kept: str) -> str:
    """What ``written`` kept, in the language of the reader."""
    if not kept.startswith("["):
        return kept
    try:
        return heard(json.loads(kept))
    except ValueError:  # a text that begins like that
        return kept


def heard(stored: Stored) -> str:
    """The text in the language of the reader. What somebody else put there is shown as it stands."""
    match stored:
        case [str(text), dict(parameters)]:
            return _filled(gettext(text), parameters)
        case [str(one), str(many), int(number), dict(parameters)]:
            return _filled(ngettext(one, many, number), parameters)
    return str(stored)


def _filled(text: str, parameters: dict[str, Stored]) -> str:
    if not parameters:  # nothing to fill in, or not yet
        return text
    try:
        return text % {name: value if isinstance(value, int) else heard(value) for name, value in parameters.items()}
    except (KeyError, ValueError, TypeError):  # a text of another release
        return text
