"""Which style an element has: what its kind begins with, then the rules that fit, the weightier later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from billing.templating.markup import INLINES, Element
from billing.templating.styles import SIDES, Compound, Length, Selector, Sheet, in_points

Four = tuple[float, float, float, float]
Border = tuple[float, str]
NO_LINE: Border = (0.0, "#000000")
LEAST, LARGEST = 4.0, 72.0
INHERITED = ("color", "size", "bold", "mono", "leading", "align", "upper", "nowrap")
# What elements begin with, in the words of the style sheet.
BEGIN: dict[str, dict[str, Any]] = {
    "p": {"margin-top": (4.0, "pt"), "margin-bottom": (4.0, "pt")},
    "h1": {"font-size": (20.0, "pt"), "font-weight": "bold", "break-after": "avoid"},
    "h2": {"font-size": (14.0, "pt"), "font-weight": "bold", "break-after": "avoid", "margin-top": (8.0, "pt")},
    "h3": {"font-size": (11.0, "pt"), "font-weight": "bold", "break-after": "avoid", "margin-top": (6.0, "pt")},
    "h4": {"font-weight": "bold", "break-after": "avoid"},
    "strong": {"font-weight": "bold"}, "b": {"font-weight": "bold"}, "th": {"font-weight": "bold"},
    "small": {"font-size": (0.85, "em")},
    "ul": {"padding-left": (14.0, "pt")}, "ol": {"padding-left": (14.0, "pt")},
    "hr": {"border-top": (0.5, "#dfdcd3"), "margin-top": (6.0, "pt"), "margin-bottom": (6.0, "pt")},
    "td": {"padding-top": (2.0, "pt"), "padding-bottom": (2.0, "pt"), "padding-right": (6.0, "pt")},
    "qr": {"width": (82.0, "pt")},
}  # fmt: skip
BEGIN["th"] = {**BEGIN["td"], **BEGIN["th"]}


@dataclass(frozen=True, slots=True)
class Style:
    """Lengths in points; ``width`` as it was written, for what it is a part of is known only to who lays out."""

    color: str = "#1c2430"
    size: float = 9.5
    bold: bool = False
    mono: bool = False
    leading: float = 1.42
    align: str = "left"
    upper: bool = False
    nowrap: bool = False
    display: str = "block"
    background: str = ""
    radius: float = 0.0
    width: Length | None = None
    height: float | None = None
    valign: str = "top"
    margin: Four = (0.0, 0.0, 0.0, 0.0)
    padding: Four = (0.0, 0.0, 0.0, 0.0)
    border: tuple[Border, Border, Border, Border] = (NO_LINE, NO_LINE, NO_LINE, NO_LINE)
    new_page: bool = False
    whole: bool = False  # not parted between pages
    keep: bool = False  # stays with what follows
    origin: str = ""  # of the words alone

    @property
    def is_plain(self) -> bool:
        return not (self.background or any(self.padding) or any(line[0] for line in self.border))


class Cascade:
    def __init__(self, sheet: Sheet) -> None:
        self.margins = sheet.margins
        self.known: dict[tuple[Any, ...], dict[str, Any]] = {}
        numbered = enumerate(sheet.rules)
        self.rules = [
            (rule.selector, rule.values)
            for _at, rule in sorted(numbered, key=lambda pair: (pair[1].selector.weight, pair[0]))
        ]

    def style(self, path: Sequence[Element], places: Sequence[tuple[bool, bool]], parent: Style, room: float) -> Style:
        """``path`` ends with the element itself; ``places`` says of each whether it is the first or last child."""
        key = tuple((each.tag, each.classes, each.ident, place) for each, place in zip(path, places, strict=True))
        values = self.known.get(key)
        if values is None:
            values = self.known[key] = dict(BEGIN.get(path[-1].tag, {}))
            for selector, more in self.rules:
                if _fits(selector, path, places):
                    values.update(more)
        return _style(values, path[-1].tag, parent, room)


def _fits(selector: Selector, path: Sequence[Element], places: Sequence[tuple[bool, bool]]) -> bool:
    if not _is(selector.parts[-1], path[-1], places[-1]):
        return False
    at, part = len(path) - 1, len(selector.parts) - 1
    while part > 0:
        direct = selector.parts[part].child
        part, at = part - 1, at - 1
        while at >= 0 and not _is(selector.parts[part], path[at], places[at]):
            if direct:
                return False
            at -= 1
        if at < 0:
            return False
    return True


def _is(part: Compound, element: Element, place: tuple[bool, bool]) -> bool:
    return (
        (not part.tag or part.tag == element.tag)
        and (not part.ident or part.ident == element.ident)
        and all(each in element.classes for each in part.classes)
        and (not part.place or place[part.place == "last"])
    )


def _style(values: dict[str, Any], tag: str, parent: Style, room: float) -> Style:
    base = Style(**{name: getattr(parent, name) for name in INHERITED})
    size = base.size
    if "font-size" in values:
        size = min(max(in_points(values["font-size"], parent.size, parent.size), LEAST), LARGEST)

    def four(kind: str) -> Any:
        return tuple(in_points(values.get(f"{kind}-{side}", (0.0, "pt")), size, room) for side in SIDES)

    def said(name: str, word: str, otherwise: bool) -> bool:
        return values[name] == word if name in values else otherwise

    height = values.get("height")
    return replace(
        base, size=size, color=values.get("color", base.color),
        bold=values["font-weight"] in ("bold", "600", "700") if "font-weight" in values else base.bold,
        mono=said("font-family", "monospace", base.mono), leading=values.get("line-height", base.leading),
        align=values.get("text-align", base.align), upper=said("text-transform", "uppercase", base.upper),
        nowrap=said("white-space", "nowrap", base.nowrap),
        display=values.get("display", "inline" if tag in INLINES else "block"),
        background="" if values.get("background-color", "none") == "none" else values["background-color"],
        radius=in_points(values.get("border-radius", (0.0, "pt")), size, room), width=values.get("width"),
        height=in_points(height, size, 0) if height and height[1] != "%" else None,
        valign=values.get("vertical-align", "top"), margin=four("margin"), padding=four("padding"),
        border=tuple(values.get(f"border-{side}", NO_LINE) for side in SIDES),
        new_page=values.get("break-before") == "page", whole=values.get("break-inside") == "avoid",
        keep=values.get("break-after") == "avoid",
    )  # fmt: skip
