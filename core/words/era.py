"""Django writes dates with the common year in every language; in Thai the year is the Buddhist one."""

from __future__ import annotations

from typing import Any

from django.utils import dateformat
from django.utils.translation import get_language

from core.words.wording import BUDDHIST_ERA


def _year(self: Any) -> str:
    """The format character ``Y``. What machines read (ISO days, form fields) does not go this way."""
    thai = (get_language() or "").startswith("th")
    return f"{self.data.year + (BUDDHIST_ERA if thai else 0):04d}"


def install() -> None:
    dateformat.DateFormat.Y = _year  # type: ignore[method-assign,assignment]
