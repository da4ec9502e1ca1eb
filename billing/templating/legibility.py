"""Whether everybody who gets a document can read what it has to show, whatever its style sheet and conditions say.

A template is set again and again with words that mean nothing, once for each situation in which it may look another
way: either language, each state, what may be absent there and absent, one line and several. Each mark knows the
variable that it came from. A variable that has to be shown is readable where all its letters stand on the page, large
enough, in an ink that is told from what is behind, and with nothing over them. Real values may be longer, and stand in
situations that were not tried: each document is held against the same when it is set.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from billing.documents.sheet import HEIGHT, WIDTH
from billing.documents.text import clean
from billing.templating.fields import CODE, Fields
from billing.templating.markup import Element, Node, Section, Variable
from billing.templating.problems import DOCUMENT, Problem
from billing.templating.strips import Box, Code, Mark, Picture, Words

LEAST_SIZE = 5.0  # points
LEAST_CONTRAST = 3.0  # as WCAG 2.2 counts it, of large letters
LANGUAGES = ("english", "thai")
STATES = ("is_draft", "is_open", "is_paid", "is_canceled")
LEAST_PART = 3  # letters of prose that stand together, on average
STEP = 0.25  # of the size of letters: how far apart they are looked at
HEIGHTS = (0.1, 0.35, 0.6)  # of the size, above the baseline
PAPER = "#ffffff"
# As long as they get: what stands in one line may not run off the page.
VALUES = {"number": "INV2027-00012345", "invoice_number": "INV2027-00012345", "title": "Credit note",
          "issued_on": "30 September 2027", "invoice_issued_on": "30 September 2027", "total": "THB 12,345,678.90",
          "tax_rate": "12.50", "tax_amount": "12,345,678.90", "line_amount": "12,345,678.90"}  # fmt: skip
WORDS = "Institute of Molecular Biophysics and of Computational Imaging"
ROWS = 3

Situation = Mapping[str, bool]


def situations(tree: Element, fields: Fields) -> list[dict[str, bool]]:
    """What is there (True) and what is not, of all that a template may ask for; ``several`` lines or one."""
    states = [name for name in STATES if name in fields.flags] or [""]
    fixed = {*LANGUAGES, *STATES, *fields.needed, *fields.labels}
    free = sorted(fields.conditions - fixed)
    guards = sorted(guards_of(tree, fields.needed).intersection(free))
    full, bare = dict.fromkeys(free, True), dict.fromkeys(free, False)
    mixed = [each | {name: not each[name]} for name in guards for each in (full, bare)]
    of_language = [{name: name == language for name in LANGUAGES} for language in LANGUAGES]
    of_state = [{name: name == state for name in states if name} for state in states]
    rests = [rest | {"several": rest is not bare} for rest in (full, bare, *mixed)]
    return [language | state | rest for language in of_language for state in of_state for rest in rests]


def guards_of(tree: Element, names: Collection[str]) -> set[str]:
    """The conditions inside of which one of these variables stands."""

    def below(nodes: Sequence[Node], around: tuple[str, ...]) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, Variable) and node.name in names:
                yield from around
            elif isinstance(node, Section):
                yield from below(node.children, around if node.mode == "#" else (*around, node.name))
            elif isinstance(node, Element):
                yield from below(node.children, around)

    return set(below(tree.children, ()))


def values_of(situation: Situation, fields: Fields) -> dict[str, Any]:
    def value(name: str) -> Any:
        if name in fields.flags:
            return situation[name]
        there = name in fields.needed or name in fields.labels or situation[name]
        return VALUES.get(name, WORDS if name in fields.needed else "word") if there else ""

    row_of = {owner: {name: value(name) for name in names} for owner, names in fields.lists.items()}
    rows = ROWS if situation["several"] else 1
    lists = {
        owner: [row] * (rows if owner in fields.needed or situation[owner] else 0) for owner, row in row_of.items()
    }
    return {name: value(name) for name in (*fields.plain, *fields.flags)} | lists | {CODE: "https://example.ac.th/"}


def expected(situation: Situation, fields: Fields) -> dict[str, str]:
    """By origin, as ``filling`` names it: what there is to read."""
    found: dict[str, str] = {}
    for name in fields.needed:
        if name in fields.lists:
            continue
        value = VALUES.get(name, WORDS)
        rows = (ROWS if situation["several"] else 1) if name in fields.list_of else 0
        found |= {f"{name} {row}": value for row in range(1, rows + 1)} if rows else {name: value}
    return found


def of_document(values: Mapping[str, Any], fields: Fields) -> dict[str, str]:
    """``expected`` of a real document, with all of its rows."""
    found = {name: str(values[name]) for name in fields.needed if name in fields.texts}
    for owner, names in fields.lists.items():
        for number, row in enumerate(values[owner], 1):
            found |= {f"{name} {number}": str(row[name]) for name in names if name in fields.needed}
    return found


def unread(pages: Sequence[Sequence[Mark]], wanted: Mapping[str, str]) -> dict[str, str]:
    """Why each variable cannot be read, by its name; those that can are not in it."""
    readable: dict[str, list[str]] = {origin: [] for origin in wanted}
    why: dict[str, str] = {}
    for marks in pages:
        for place, mark in enumerate(marks):
            if not isinstance(mark, Words) or mark.origin not in wanted:
                continue
            code = _fault(mark, place, marks)
            if code:
                why.setdefault(mark.origin, code)
            else:
                readable[mark.origin] += mark.text.split()
    found: dict[str, str] = {}
    for origin, value in wanted.items():
        name = origin.partition(" ")[0]
        if code := _missing(name, readable[origin], value):
            found.setdefault(name, why.get(origin, code))
    return found


def _missing(name: str, parts: Sequence[str], value: str) -> str:
    """``parts``: what can be read of ``value``, between spaces and ends of lines."""
    words = clean(value).split()
    wanted, letters = sum(map(len, words)), sum(map(len, parts))
    if letters < wanted:
        return "unseen"
    if name not in VALUES:  # prose, which lines may end in
        return "broken" if letters * len(words) < len(parts) * min(LEAST_PART * len(words), wanted) else ""
    found = {part.upper() for part in parts}
    return "" if all(word.upper() in found for word in words) else "broken"


def problems_of(
    failed: Mapping[int, Mapping[str, str]], all_of: Sequence[Situation], guards: Collection[str]
) -> list[Problem]:
    """A problem a variable; where some of the situations show it, with the conditions that make the difference."""
    found: dict[str, list[int]] = {}
    for number, names in failed.items():
        for name in names:
            found.setdefault(name, []).append(number)
    problems = []
    for name, numbers in found.items():
        inside = [all_of[number] for number in numbers]
        outside = [each for number, each in enumerate(all_of) if number not in numbers]
        told = [f"{{{{{name}}}}}"]
        for key in dict.fromkeys((*LANGUAGES, *STATES, *sorted(guards))):
            values = {each.get(key) for each in inside}
            if len(values) == 1 and any({each.get(key)} != values for each in outside):
                told.append(f"{{{{{'?' if values == {True} else '^'}{key}}}}}")
        problems.append(Problem(DOCUMENT, 0, failed[numbers[0]][name], " ".join(_short(told))))
    return problems


def _short(told: list[str]) -> list[str]:
    """One language, and one state, says of the others that they are not."""
    for names in (LANGUAGES, STATES):
        if any(f"{{{{?{name}}}}}" in told for name in names):
            told = [each for each in told if each.strip("{}^") not in names or each.startswith("{{?")]
    return told


def _fault(mark: Words, place: int, marks: Sequence[Mark]) -> str:
    """The first that is wrong with these letters; "" where nothing is."""
    if mark.size < LEAST_SIZE:
        return "small"
    top, bottom = mark.y - 0.75 * mark.size, mark.y + 0.2 * mark.size
    if mark.x < -1 or mark.x + mark.width > WIDTH + 1 or top < -1 or bottom > HEIGHT + 1:
        return "off_page"
    others = [each for number, each in enumerate(marks) if number != place and _meets(each, mark, top, bottom)]
    boxes = [each for each in reversed(others) if isinstance(each, Box)]
    steps = max(5, math.ceil(mark.width / (STEP * mark.size))) if others else 1
    for x in (mark.x + mark.width * (step + 0.5) / steps for step in range(steps)):
        for y in (mark.y - part * mark.size for part in HEIGHTS):
            if any(_covers(each, x, y) for each in others):
                return "covered"
            behind = next((each.colour for each in boxes if _inside(each, x, y)), PAPER)
            if contrast(mark.colour, behind) < LEAST_CONTRAST:
                return "faint"
    return ""


def _meets(other: Mark, mark: Words, top: float, bottom: float) -> bool:
    """Whether it comes near enough to ``mark``, whose letters reach from ``top`` to ``bottom``, to matter."""
    if isinstance(other, Words):
        upper, lower, right = other.y - other.size, other.y + 0.3 * other.size, other.x + other.width
    else:
        high = other.size if isinstance(other, Code) else other.height
        wide = other.size if isinstance(other, Code) else other.width
        upper, lower, right = other.y, other.y + high, other.x + wide
    return upper <= bottom and lower >= top and other.x <= mark.x + mark.width and right >= mark.x


def _covers(mark: Mark, x: float, y: float) -> bool:
    """Boxes are painted before everything else and cover no letters."""
    if isinstance(mark, Words):
        return bool(mark.text.strip()) and mark.x < x < mark.x + mark.width and mark.y - 0.6 * mark.size < y < mark.y
    return isinstance(mark, Code | Picture) and _inside(mark, x, y)


def _inside(mark: Box | Code | Picture, x: float, y: float) -> bool:
    wide, high = (mark.size, mark.size) if isinstance(mark, Code) else (mark.width, mark.height)
    return mark.x <= x <= mark.x + wide and mark.y <= y <= mark.y + high


def contrast(one: str, other: str) -> float:
    """1 (the same) to 21 (black on white) of two colours as ``#rrggbb``: the ratio of WCAG 2.2."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]  # noqa: PLR2004
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
