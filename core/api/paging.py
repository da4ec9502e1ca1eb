"""Pages by keyset: a cursor names the last row that was seen, so rows that arrive meanwhile shift nothing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from core.errors import BadInput

LONGEST = 400


class BadCursor(BadInput):
    """Not a cursor that this list has given."""

    code = "bad_cursor"

    def __init__(self) -> None:
        super().__init__(_("This cursor cannot be read; begin without one."), field="cursor")


@dataclass(frozen=True, slots=True)
class Page:
    """``cursor`` leads to the rows behind; empty on the last page."""

    rows: list[Any]
    cursor: str


def page(rows: QuerySet[Any], *, by: Sequence[str], after: str, size: int, descending: bool = True) -> Page:
    """``by`` are columns that are never null and together unique, all in one direction."""
    sign = "-" if descending else ""
    rows = rows.order_by(*(f"{sign}{name}" for name in by))
    if after:
        rows = behind(rows, by, read_cursor(after, len(by)), descending=descending)
    found = list(rows[: size + 1])
    shown = found[:size]
    return Page(shown, cursor_of(key_of(shown[-1], by)) if len(found) > size else "")


def behind(rows: QuerySet[Any], by: Sequence[str], key: Sequence[Any], *, descending: bool = True) -> QuerySet[Any]:
    """The rows that come after ``key`` in the order of ``by``."""
    word = "lt" if descending else "gt"
    values = [_value(rows.model, name, text) for name, text in zip(by, key, strict=True)]
    condition, equal = Q(), Q()
    for name, value in zip(by, values, strict=True):
        condition |= equal & Q(**{f"{name}__{word}": value})
        equal &= Q(**{name: value})
    # Follows from the rest, but only this tells the database where in its index to begin.
    return rows.filter(condition, **{f"{by[0]}__{word}e": values[0]})


def key_of(row: Any, by: Sequence[str]) -> list[Any]:
    values = [getattr(row, name) for name in by]
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def cursor_of(key: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(key), separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(text: str, size: int) -> list[Any]:
    """Raises ``BadCursor``."""
    try:
        key = json.loads(base64.b64decode(text[:LONGEST] + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise BadCursor from None
    if not isinstance(key, list) or len(key) != size or not all(isinstance(part, str | int) for part in key):
        raise BadCursor
    return key


def read_place(text: str) -> int:
    """Of a list whose cursor is the number of rows before. Raises ``BadCursor``."""
    place = read_cursor(text, 1)[0]
    if type(place) is not int or not 0 <= place < 2**31:
        raise BadCursor
    return place


def _value(model: type[Model], name: str, text: Any) -> Any:
    try:
        value = model._meta.get_field(name).to_python(text)  # type: ignore[union-attr]
        if isinstance(value, datetime):
            value = _of_utc(value)
        elif isinstance(value, str):
            value.encode()  # half a surrogate pair is none that a database takes
    except (ValidationError, OverflowError, ValueError, TypeError):
        raise BadCursor from None
    if value is None or (isinstance(value, int) and abs(value) >= 2**63) or (isinstance(value, str) and "\0" in value):
        raise BadCursor
    return value


def _of_utc(moment: datetime) -> datetime:
    """As the database wants it; at either end of the calendar another zone has no such moment: ``OverflowError``."""
    if moment.tzinfo is None:
        raise ValueError("ours have a zone")
    return moment.astimezone(UTC)


def next_url(request: HttpRequest, cursor: str) -> str | None:
    """The address of this list behind ``cursor``, or None when there is nothing."""
    if not cursor:
        return None
    query = request.GET.copy()
    query["cursor"] = cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
