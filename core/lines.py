"""Names and other texts of one line: a line break in one could forge lines of e-mails, logs and tables."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import BadInput

FORBIDDEN = frozenset({"Cc", "Zl", "Zp"})  # control characters, line and paragraph separators
WORDS = gettext_lazy("Write it in one line, without control characters.")


def is_line(text: str) -> bool:
    return not any(unicodedata.category(character) in FORBIDDEN for character in text)


def validate_line(value: object) -> None:
    """For fields of models and forms."""
    if isinstance(value, str) and not is_line(value):
        raise ValidationError(WORDS, code="not_a_line")


def checked_line(text: str, field: str) -> str:
    """Without blanks around it. Raises ``BadInput``; for services whose rows are not cleaned by Django."""
    text = text.strip()
    if not is_line(text):
        raise BadInput(_("Write it in one line, without control characters."), field=field)
    return text


class LineField(models.CharField):
    """Text of one line. To the database, and to migrations, it is any other text."""

    default_validators = [validate_line]

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _path, arguments, options = super().deconstruct()
        return name, "django.db.models.CharField", arguments, options
