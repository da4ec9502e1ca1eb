"""Rows of the console's lists, made ready to be read as cards where the screen is narrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django import template
from django.utils.html import escape, strip_tags
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

register = template.Library()
NOTHING = {"", "-", "–"}


@register.filter(is_safe=True)
def column_name(text: str) -> str:
    """The head of a column; the number of a row is written alike, whoever has named it."""
    return "ID" if text == "id" else str(capfirst(text))


@register.filter
def labelled(row: Iterable[str], headers: list[dict[str, Any]]) -> Iterator[SafeString]:
    """The cells of a row as Django made them, each with the name of its column; what is empty is marked."""
    names = [escape(column_name(strip_tags(str(header["text"])).strip())) for header in headers]
    for name, cell in zip(names, row, strict=True):
        marks = f' data-label="{name}"' if name and not cell.startswith('<td class="action-checkbox') else ""
        if "<img" not in cell and "<input" not in cell and "<svg" not in cell and strip_tags(cell).strip() in NOTHING:
            marks += " data-blank"
        # The cell is Django's own safe text, "<td ..." or "<th ..."; what is put into it is escaped above.
        yield mark_safe(f"{cell[:3]}{marks}{cell[3:]}")  # noqa: S308
