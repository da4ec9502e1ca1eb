"""Strips: what is laid out, as pieces one above the other that fill pages. Lengths are points, y grows down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from billing.templating.images import Image


class Words(NamedTuple):
    """``y`` is the baseline; ``origin`` is told of text that has one."""

    x: float
    y: float
    text: str
    size: float
    bold: bool
    mono: bool
    colour: str
    width: float
    origin: str = ""


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    colour: str
    radius: float = 0.0


class Code(NamedTuple):
    x: float
    y: float
    size: float
    text: str


class Picture(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    image: Image


Mark = Words | Box | Code | Picture


@dataclass(slots=True)
class Strip:
    """``keep``: not the last on a page. ``is_space``: falls away at a page's head. ``repeat``: stands above it
    again when a page begins with it."""

    height: float
    marks: list[Mark] = field(default_factory=list)
    keep: bool = False
    is_space: bool = False
    new_page: bool = False
    repeat: tuple[Strip, ...] = ()


def space(height: float) -> list[Strip]:
    return [Strip(height, is_space=True)] if height > 0 else []


def joined(*groups: Iterable[Strip]) -> list[Strip]:
    """One list; of two spaces beside each other the larger stays."""
    found: list[Strip] = []
    for group in groups:
        for strip in group:
            if strip.is_space and found and found[-1].is_space:
                found[-1] = Strip(max(strip.height, found[-1].height), is_space=True)
            else:
                found.append(strip)
    return found


def merged(strips: list[Strip]) -> Strip:
    """All as one that no page parts."""
    whole = Strip(0.0)
    for strip in strips:
        whole.marks += moved(strip.marks, whole.height)
        whole.height += strip.height
        whole.new_page = whole.new_page or strip.new_page
    whole.keep = bool(strips) and strips[-1].keep
    return whole


def moved(marks: list[Mark], down: float) -> list[Mark]:
    return [mark._replace(y=mark.y + down) for mark in marks] if down else list(marks)


def paged(strips: list[Strip], room: float) -> list[list[Strip]]:
    """Strips onto pages ``room`` high; at least one page."""
    pages: list[list[Strip]] = [[]]
    full = 0.0
    for strip in (part for whole in strips for part in _parts(whole, room)):
        if strip.is_space and not pages[-1]:
            continue
        if pages[-1] and (full + strip.height > room + 0.01 or strip.new_page):
            pages.append([] if strip.new_page else _carried(pages[-1], room - strip.height))
            if not pages[-1] and _height(strip.repeat) + strip.height <= room:
                pages[-1] += strip.repeat
            full = _height(pages[-1])
            if strip.is_space and not pages[-1]:
                continue
        pages[-1].append(strip)
        full += strip.height
    return pages


def _carried(page: list[Strip], most: float) -> list[Strip]:
    """What at a page's end belongs to what follows, where it is not all of the page and not higher than ``most``."""
    at = len(page)
    while at and (page[at - 1].keep or (at < len(page) and page[at - 1].is_space)):
        at -= 1
    carried = page[at:]
    if not at or _height(carried) > most + 0.01:
        return []
    del page[at:]
    return carried


def _height(strips: Iterable[Strip]) -> float:
    return sum(strip.height for strip in strips)


def _parts(strip: Strip, room: float) -> list[Strip]:
    """A strip that is taller than a page, in parts: each mark on the page on which it begins, boxes cut."""
    if strip.height <= room:
        return [strip]
    parts = []
    top = 0.0
    while top < strip.height - 0.01:
        bottom = min(top + room, strip.height)
        starts = [_top(mark) for mark in strip.marks if not isinstance(mark, Box)]
        cut = [_top(mark) for mark in strip.marks if not isinstance(mark, Box) and _top(mark) < bottom < _bottom(mark)]
        end = min([bottom, *(each for each in cut if each > top)])
        inside = [mark for mark in strip.marks if not isinstance(mark, Box) and top <= _top(mark) < end]
        boxes = [_cut(mark, top, end) for mark in strip.marks if isinstance(mark, Box)]
        marks: list[Mark] = [*(box for box in boxes if box), *inside]
        parts.append(Strip(end - top, moved(marks, -top), repeat=strip.repeat))
        top = end
        if not starts:
            break
    return parts


def _top(mark: Mark) -> float:
    return mark.y - mark.size if isinstance(mark, Words) else mark.y


def _bottom(mark: Mark) -> float:
    if isinstance(mark, Words):
        return mark.y + mark.size * 0.3
    return mark.y + (mark.size if isinstance(mark, Code) else mark.height)


def _cut(box: Box, top: float, bottom: float) -> Box | None:
    upper, lower = max(box.y, top), min(box.y + box.height, bottom)
    return box._replace(y=upper, height=lower - upper) if lower > upper else None
