"""How Django writes moments, made to be how our pages do.

It writes dates with the common year in every language; in Thai the year is the Buddhist one. And of the zones without
a name of their own it says ``+07``, where we say ``UTC+7``.
"""

from __future__ import annotations

from typing import Any

from django.utils import dateformat, timezone
from django.utils.translation import get_language

from core.words.wording import BUDDHIST_ERA, zone_text


def _year(self: Any) -> str:
    """The format character ``Y``. What machines read (ISO days, form fields) does not go this way."""
    thai = (get_language() or "").startswith("th")
    return f"{self.data.year + (BUDDHIST_ERA if thai else 0):04d}"


def _zone(self: Any) -> str:
    """The format character ``T``."""
    moment = self.data if timezone.is_aware(self.data) else timezone.make_aware(self.data, self.timezone)
    return zone_text(moment)


def install() -> None:
    dateformat.DateFormat.Y = _year  # type: ignore[method-assign,assignment]
    dateformat.DateFormat.T = _zone  # type: ignore[method-assign]
