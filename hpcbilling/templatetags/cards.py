"""Rows of the console's lists, made ready to be read as cards where the screen is narrow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.html import escape, strip_tags
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

register = template.Library()
NOTHING = {"", "-", "–"}
TAG = re.compile(r"<[^>]*>")
SHOWN = re.compile(r"<(?:img|input|svg)\b")  # seen without a word in it


@register.filter(is_safe=True)
def column_name(text: str) -> str:
    """The head of a column; the number of a row is written alike, whoever has named it."""
    return "ID" if text == "id" else str(capfirst(text))


@register.filter
def cell_names(headers: list[dict[str, Any]]) -> list[SafeString]:
    """What the cells below the heads of a list are called, escaped; once a page."""
    return [escape(column_name(strip_tags(str(header["text"])).strip())) for header in headers]


@register.filter
def labelled(row: Iterable[str], names: list[SafeString]) -> SafeString:
    """The cells of a row as Django made them, each with the name of its column; what is empty is marked."""
    cells = []
    for name, cell in zip(names, row, strict=True):
        marks = f' data-label="{name}"' if name and not cell.startswith('<td class="action-checkbox') else ""
        if TAG.sub("", cell).strip() in NOTHING and not SHOWN.search(cell):
            marks += " data-blank"
        cells.append(f"{cell[:3]}{marks}{cell[3:]}")
    # A cell is Django's own safe text, "<td ..." or "<th ..."; what is put into it is escaped above.
    return mark_safe("".join(cells))  # noqa: S308
