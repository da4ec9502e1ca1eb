"""Names and other texts of one line: a line break in one could forge lines of e-mails, logs and tables, a mark that
turns the direction of writing would turn round what stands behind it, and a name of blanks could not be clicked."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import BadInput

FORBIDDEN = frozenset({"Cc", "Zl", "Zp"})  # control characters, line and paragraph separators
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # what follows goes another way
BLANK = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")  # letters, marks and signs that show nothing
WORDS = gettext_lazy("Write it in one line, without control characters.")
UNSEEN = gettext_lazy("Write something that can be seen.")


def is_line(text: str) -> bool:
    return not any(character in TURNING or unicodedata.category(character) in FORBIDDEN for character in text)


def is_seen(text: str) -> bool:
    """Whether anything of it shows: more than blanks, joiners and the like."""
    return any(character not in BLANK and unicodedata.category(character)[0] not in "CZ" for character in text)


def validate_line(value: object) -> None:
    """For fields of models and forms."""
    if isinstance(value, str) and not is_line(value):
        raise ValidationError(WORDS, code="not_a_line")
    if isinstance(value, str) and value and not is_seen(value):
        raise ValidationError(UNSEEN, code="not_seen")


def checked_line(text: str, field: str) -> str:
    """Without blanks around it. Raises ``BadInput``; for services whose rows are not cleaned by Django."""
    text = text.strip()
    if not is_line(text):
        raise BadInput(_("Write it in one line, without control characters."), field=field)
    if text and not is_seen(text):
        raise BadInput(_("Write something that can be seen."), field=field)
    return text


class LineField(models.CharField):
    """Text of one line. To the database, and to migrations, it is any other text."""

    default_validators = [validate_line]

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _path, arguments, options = super().deconstruct()
        return name, "django.db.models.CharField", arguments, options
