"""Reads the CSS of a template. Properties, units and selectors that are not listed here are refused, with their line.

Nothing of it can lead anywhere: no function of any kind is taken (``url()``, ``var()``, ``calc()``, ``attr()`` ...), no
at-rule but ``@page`` with margins, no escapes. Lengths are kept as (number, unit).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from billing.templating.problems import CSS, Found

LONGEST, MOST_RULES, MOST_PARTS = 50_000, 400, 6
SIDES = ("top", "right", "bottom", "left")
COLOURS = {
    "black": "#000000", "white": "#ffffff", "grey": "#808080", "gray": "#808080", "silver": "#c0c0c0",
    "red": "#ff0000", "green": "#008000", "blue": "#0000ff", "navy": "#000080", "teal": "#008080", "maroon": "#800000",
}  # fmt: skip
WORDS: dict[str, tuple[str, ...]] = {
    "font-weight": ("normal", "bold", "400", "500", "600", "700"),
    "font-family": ("sans-serif", "monospace"),
    "text-align": ("left", "center", "right"),
    "text-transform": ("none", "uppercase"),
    "vertical-align": ("top", "middle", "bottom"),
    "display": ("block", "inline", "none"),
    "break-before": ("auto", "page"),
    "break-inside": ("auto", "avoid"),
    "break-after": ("auto", "avoid"),
    "white-space": ("normal", "nowrap"),
}
ALIASES = {
    "page-break-before": "break-before", "page-break-inside": "break-inside", "page-break-after": "break-after",
    "background": "background-color",
}  # fmt: skip
LENGTHS = (
    "font-size",
    "width",
    "height",
    "border-radius",
    *(f"{kind}-{side}" for kind in ("margin", "padding") for side in SIDES),
)
BORDERS = tuple(f"border-{side}" for side in SIDES)
TAG = re.compile(r"[a-z][a-z0-9]*|\*")
_LENGTH = re.compile(r"(\d{1,4}(?:\.\d{1,4})?|\.\d{1,4})(pt|mm|cm|px|em|%)?\Z")
_NUMBER = re.compile(r"\d(?:\.\d{1,3})?\Z")
_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z")
_COMPOUND = re.compile(r"([a-z][a-z0-9]*|\*)?((?:[.#][a-zA-Z][a-zA-Z0-9_-]{0,40})*)(:(?:first|last)-child)?\Z")

Length = tuple[float, str]


class Compound(NamedTuple):
    tag: str
    classes: tuple[str, ...]
    ident: str
    place: str  # "", first or last
    child: bool  # directly below what stands before it


class Selector(NamedTuple):
    parts: tuple[Compound, ...]
    weight: tuple[int, int, int]


@dataclass(slots=True)
class Rule:
    selector: Selector
    values: dict[str, Any]


@dataclass(slots=True)
class Sheet:
    """``margins``: of the page, in the order of ``SIDES``, points."""

    rules: list[Rule] = field(default_factory=list)
    margins: list[float] = field(default_factory=lambda: [52.0, 56.0, 64.0, 56.0])


def read(source: str) -> Sheet:
    """Raises ``Refused`` with all that was found."""
    reader = _Reader(source)
    reader.read()
    reader.found.check()
    return reader.sheet


class _Reader:
    def __init__(self, source: str) -> None:
        self.source, self.found, self.sheet = source, Found(CSS), Sheet()

    def read(self) -> None:
        if len(self.source) > LONGEST:
            self.found.add(0, "too_long", str(LONGEST))
            return
        text = self._without_comments()
        for mark in ("\\", "<", "{{"):
            if mark in text:
                self.found.add(text.count("\n", 0, text.index(mark)) + 1, "css_sign", mark)
        at = 0
        while 0 <= at < len(text) and text[at:].strip():
            at = self._next(text, at + len(text[at:]) - len(text[at:].lstrip()))
            if len(self.sheet.rules) > MOST_RULES:
                self.found.add(0, "too_many", str(MOST_RULES))
                return

    def _next(self, text: str, start: int) -> int:
        """One rule from ``start``; gives where it ends, or -1 where nothing more can be read."""
        line = text.count("\n", 0, start) + 1
        opening, ending = text.find("{", start), text.find(";", start)
        shown = text[start : start + 30].split("\n", maxsplit=1)[0]
        if text[start] == "@" and (opening < 0 or 0 <= ending < opening):
            self.found.add(line, "at_rule", shown)
            return ending + 1 if ending >= 0 else -1
        closing = text.find("}", opening) if opening >= 0 else -1
        if closing < 0:
            self.found.add(line, "css_rule", shown)
            return -1
        inside = text.count("\n", 0, opening) + 1
        self._rule(text[start:opening].strip(), text[opening + 1 : closing], line, inside)
        return closing + 1

    def _without_comments(self) -> str:
        parts: list[str] = []
        at = 0
        while True:
            start = self.source.find("/*", at)
            end = self.source.find("*/", start + 2) if start >= 0 else -1
            if start < 0 or end < 0:
                return "".join([*parts, self.source[at:]])
            parts += [self.source[at:start], "\n" * self.source.count("\n", start, end)]
            at = end + 2

    def _rule(self, selectors: str, body: str, line: int, inside: int) -> None:
        if selectors.startswith("@"):
            if selectors != "@page":
                self.found.add(line, "at_rule", selectors)
                return
            self._page(self._values(body, inside), line)
            return
        values = self._values(body, inside)
        for text in selectors.split(","):
            found = _selector(" ".join(text.split()))
            if found is None:
                self.found.add(line, "selector", text.strip()[:40])
            else:
                self.sheet.rules.append(Rule(found, values))

    def _page(self, values: dict[str, Any], line: int) -> None:
        for name, value in values.items():
            kind, _dash, side = name.partition("-")
            if kind != "margin" or value[1] == "%" or value[1] == "em":
                self.found.add(line, "page_margin", name)
                continue
            points = in_points(value, 10, 0)
            if not 20 <= points <= 200:  # noqa: PLR2004
                self.found.add(line, "page_margin", name)
            self.sheet.margins[SIDES.index(side)] = points

    def _values(self, body: str, line: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for text in body.split(";"):
            at = line + text.count("\n", 0, len(text) - len(text.lstrip()))
            line += text.count("\n")
            if not text.strip():
                continue
            name, colon, value = text.partition(":")
            name, value = name.strip().lower(), " ".join(value.split()).lower()
            name = ALIASES.get(name, name)
            if not colon or not value:
                self.found.add(at, "css_rule", text.strip()[:30])
            elif "(" in value or "@" in value:
                self.found.add(at, "css_function", value[:40])
            else:
                self._value(values, name, value, at)
        return values

    def _value(self, values: dict[str, Any], name: str, value: str, line: int) -> None:
        reader = READERS.get(name)
        if reader is None:
            self.found.add(line, "property", name)
        elif (parsed := reader(name, value)) is None:
            self.found.add(line, "css_value", f"{name}: {value}")
        else:
            values.update(parsed)


def _selector(text: str) -> Selector | None:
    parts: list[Compound] = []
    child = False
    for word in text.replace(">", " > ").split():
        if word == ">":
            if child or not parts:
                return None
            child = True
            continue
        match = _COMPOUND.match(word)
        if match is None or not word:
            return None
        marks = re.findall(r"[.#][^.#]+", match[2])
        idents = [mark[1:] for mark in marks if mark[0] == "#"]
        if len(idents) > 1:
            return None
        classes = tuple(mark[1:] for mark in marks if mark[0] == ".")
        place = (match[3] or ":").removeprefix(":").partition("-")[0]
        tag = "" if match[1] in (None, "*") else match[1]
        parts.append(Compound(tag, classes, "".join(idents), place, child))
        child = False
    if child or not parts or len(parts) > MOST_PARTS:
        return None
    weight = (
        sum(bool(part.ident) for part in parts),
        sum(len(part.classes) + bool(part.place) for part in parts),
        sum(bool(part.tag) for part in parts),
    )
    return Selector(tuple(parts), weight)


def in_points(length: Length, size: float, whole: float) -> float:
    """``size``: of the letters around it; ``whole``: what a percentage is of."""
    number, unit = length
    factor = {"pt": 1, "px": 0.75, "mm": 72 / 25.4, "cm": 720 / 25.4, "em": size, "%": whole / 100, "": 0}[unit]
    return number * factor


def _length(value: str) -> Length | None:
    match = _LENGTH.match(value)
    if match is None or (match[2] is None and float(match[1])):
        return None
    return float(match[1]), match[2] or "pt"


def _colour(value: str) -> str:
    if value in COLOURS:
        return COLOURS[value]
    if not _HEX.match(value):
        return ""
    digits = value[1:] if len(value) == 7 else "".join(each * 2 for each in value[1:])  # noqa: PLR2004
    return f"#{digits}"


def _four(name: str, value: str) -> dict[str, Any] | None:
    lengths = [_length(each) for each in value.split()]
    if not 1 <= len(lengths) <= 4 or None in lengths:  # noqa: PLR2004
        return None
    top, right, bottom, left = {
        1: lengths * 4, 2: lengths * 2, 3: [*lengths, lengths[1 % len(lengths)]], 4: lengths,
    }[len(lengths)]  # fmt: skip
    return {f"{name}-{side}": each for side, each in zip(SIDES, (top, right, bottom, left), strict=True)}


def _border(name: str, value: str) -> dict[str, Any] | None:
    """``1pt solid #ccc`` or ``none``; a colour alone is not taken."""
    words = value.split()
    line: tuple[float, str] | None = None
    if words in (["none"], ["0"]):
        line = (0.0, "#000000")
    elif len(words) == 3 and words[1] == "solid":  # noqa: PLR2004
        length, colour = _length(words[0]), _colour(words[2])
        if length and colour and length[1] in ("pt", "px", "mm") and in_points(length, 0, 0) <= 20:  # noqa: PLR2004
            line = (in_points(length, 0, 0), colour)
    if line is None:
        return None
    return dict.fromkeys(BORDERS if name == "border" else (name,), line)


def _word(name: str, value: str) -> dict[str, Any] | None:
    return {name: value} if value in WORDS[name] else None


def _ink(name: str, value: str) -> dict[str, Any] | None:
    colour = _colour(value) or ("none" if value == "none" and name != "color" else "")
    return {name: colour} if colour else None


def _leading(name: str, value: str) -> dict[str, Any] | None:
    return {name: float(value)} if _NUMBER.match(value) and 1 <= float(value) <= 4 else None  # noqa: PLR2004


def _one_length(name: str, value: str) -> dict[str, Any] | None:
    length = _length(value)
    return {name: length} if length else None


READERS: dict[str, Callable[[str, str], dict[str, Any] | None]] = {
    **dict.fromkeys(WORDS, _word), **dict.fromkeys(LENGTHS, _one_length), "line-height": _leading,
    **dict.fromkeys(("color", "background-color"), _ink), **dict.fromkeys(("margin", "padding"), _four),
    **dict.fromkeys(("border", *BORDERS), _border),
}  # fmt: skip
