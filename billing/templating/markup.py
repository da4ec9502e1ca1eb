"""Reads the HTML of a template into a tree. What is not on a list here is refused, with its line.

``{{name}}`` shows a value, ``{{#lines}} ... {{/lines}}`` repeats, ``{{?name}} ... {{/name}}`` shows its inside when
there is a value, ``{{^name}} ... {{/name}}`` when there is none. They stand in text, never inside of a tag: a value
becomes text of the tree and is not read again, so nothing in it can be markup.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

from billing.templating.fields import CODE, INVOICE, PAGE, Fields
from billing.templating.images import Image, read_image
from billing.templating.problems import HTML, Found

LONGEST, MOST_NODES, DEEPEST = 400_000, 3_000, 20
LONGEST_TEXT = 100_000  # without the images in it
BLOCKS = frozenset({"div", "section", "p", "h1", "h2", "h3", "h4", "ul", "ol", "li", "hr", "header", "footer"})
INLINES = frozenset({"span", "strong", "b", "small", "br"})
TABLES = frozenset({"table", "thead", "tbody", "tfoot", "tr", "td", "th"})
VOID = frozenset({"br", "hr", "img"})
TAGS = BLOCKS | INLINES | TABLES | {"img"}
ATTRIBUTES = {"class": TAGS, "id": TAGS, "colspan": {"td", "th"}, "src": {"img"}, "alt": {"img"}}
PARENTS = {
    "tr": {"table", "thead", "tbody", "tfoot"}, "td": {"tr"}, "th": {"tr"}, "thead": {"table"}, "tbody": {"table"},
    "tfoot": {"table"}, "li": {"ul", "ol"}, "header": {""}, "footer": {""},
}  # fmt: skip
ONLY = {
    "table": {"thead", "tbody", "tfoot", "tr"}, "thead": {"tr"}, "tbody": {"tr"}, "tfoot": {"tr"}, "tr": {"td", "th"},
    "ul": {"li"}, "ol": {"li"},
}  # fmt: skip
INLINE_ONLY = frozenset({"p", "h1", "h2", "h3", "h4", "span", "strong", "b", "small"})
MOST_COLUMNS = 24

_TAG = re.compile(
    r"<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z][a-zA-Z-]*(?:\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))?)*)\s*(/?)>"
)
_ATTRIBUTE = re.compile(r"([a-zA-Z][a-zA-Z-]*)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'))?")
_TOKEN = re.compile(r"\{\{([#?^/]?)\s{0,5}([a-z][a-z_]{0,40})\s{0,5}\}\}")
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,40}\Z")


@dataclass(slots=True)
class Element:
    tag: str
    line: int = 0
    classes: tuple[str, ...] = ()
    ident: str = ""
    span: int = 1
    image: Image | None = None
    children: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Text:
    """``origin``: the variable that it is the value of, where that is looked for (see ``legibility``)."""

    text: str
    origin: str = ""


@dataclass(slots=True)
class Variable:
    name: str
    line: int = 0


@dataclass(slots=True)
class Section:
    """``mode`` is ``#`` (for each row), ``?`` (when there is something) or ``^`` (when there is nothing)."""

    mode: str
    name: str
    line: int
    children: list[Node] = field(default_factory=list)


Node = Element | Text | Variable | Section


def read(source: str, fields: Fields = INVOICE) -> Element:
    """The root, with the template's elements below it. Raises ``Refused`` with all that was found."""
    reader = _Reader(source, fields)
    reader.read()
    reader.found.check()
    return reader.root


class _Reader:
    def __init__(self, source: str, fields: Fields) -> None:
        self.source, self.fields, self.found = source, fields, Found(HTML)
        self.root = Element("")
        self.open: list[Element | Section] = [self.root]
        self.names: set[str] = set()
        self.nodes, self.line, self.pictures = 0, 1, 0

    def read(self) -> None:
        if len(self.source) > LONGEST:
            self.found.add(0, "too_long", str(LONGEST))
            return
        at = 0
        while at < len(self.source) and self.nodes <= MOST_NODES:
            at = self._one(at)
        if self.nodes > MOST_NODES:
            self.found.add(self.line, "too_many", str(MOST_NODES))
        if len(self.source) - self.pictures > LONGEST_TEXT:
            self.found.add(0, "too_long", str(LONGEST_TEXT))
        for each in self.open[1:]:
            self.found.add(each.line, "not_closed", each.tag if isinstance(each, Element) else each.name)
        missing = [name for name in self.fields.needed if name not in self.names] if not self.found.problems else []
        for name in missing:
            self.found.add(0, "needed", name)

    def _one(self, at: int) -> int:
        """One tag, comment or stretch of text from ``at``; gives where it ends."""
        if self.source[at] != "<":
            end = self.source.find("<", at)
            end = len(self.source) if end < 0 else end
            self._text(self.source[at:end])
            return end
        if self.source.startswith("<!--", at):
            end = self.source.find("-->", at)
            if end < 0:
                self.found.add(self.line, "not_closed", "<!--")
                return len(self.source)
            self.line += self.source.count("\n", at, end)
            return end + 3
        match = _TAG.match(self.source, at)
        if match is None:
            self.found.add(self.line, "no_tag", self.source[at : at + 24].split("\n")[0])
            return at + 1
        self._tag(match)
        self.line += match[0].count("\n")
        return match.end()

    # --- tags ------------------------------------------------------------------------
    def _tag(self, match: re.Match[str]) -> None:
        tag = match[2].lower()
        if tag not in TAGS:
            self.found.add(self.line, "tag", tag)
            return
        if match[1]:
            self._close(tag)
            return
        element = Element(tag, self.line)
        for name, double, single in _ATTRIBUTE.findall(match[3]):
            self._attribute(element, name.lower(), double or single)
        if tag == "img" and element.image is None:
            self.found.add(self.line, "image_missing")
        self._fits(element)
        self._put(element)
        if tag not in VOID:
            self._push(element)

    def _close(self, tag: str) -> None:
        top = self.open[-1]
        if isinstance(top, Element) and top.tag == tag:
            self.open.pop()
        else:
            self.found.add(self.line, "crossed", f"</{tag}>")

    def _fits(self, element: Element) -> None:
        parent = next(each for each in reversed(self.open) if isinstance(each, Element)).tag
        wrong = element.tag in PARENTS and parent not in PARENTS[element.tag]
        wrong = wrong or (parent in ONLY and element.tag not in ONLY[parent])
        wrong = wrong or (parent in INLINE_ONLY and element.tag not in INLINES)
        if element.tag in ("header", "footer") and len(self.open) > 1:
            wrong = True
        if wrong:
            self.found.add(self.line, "place", element.tag)

    def _attribute(self, element: Element, name: str, value: str) -> None:
        if "{{" in value:
            self.found.add(self.line, "variable_in_tag", name)
        elif element.tag not in ATTRIBUTES.get(name, ()):
            self.found.add(self.line, "attribute", name)
        elif name in ("class", "id"):
            self._names(element, name, value)
        elif name == "colspan":
            if value.isascii() and value.isdigit() and 1 <= int(value[:4]) <= MOST_COLUMNS:
                element.span = int(value)
            else:
                self.found.add(self.line, "attribute", f'colspan="{value}"')
        elif name == "src":
            element.image, code = read_image(value)
            self.pictures += len(value)
            if code:
                self.found.add(self.line, code, value[:30])

    def _names(self, element: Element, name: str, value: str) -> None:
        names = tuple(value.split())
        if not all(_NAME.match(each) for each in names) or (name == "id" and len(names) != 1):
            self.found.add(self.line, "attribute", f'{name}="{value}"')
        elif name == "class":
            element.classes = names
        else:
            element.ident = names[0]

    # --- text and variables ------------------------------------------------------------
    def _text(self, text: str) -> None:
        at = 0
        for match in _TOKEN.finditer(text):
            self._literal(text[at : match.start()])
            self._token(match[1], match[2])
            at = match.end()
        self._literal(text[at:])

    def _literal(self, text: str) -> None:
        line = self.line
        for mark in ("{{", "}}", "{%", "{#"):
            where = text.find(mark)
            if where >= 0:
                name = text[where : where + 40].split("\n", maxsplit=1)[0]
                self.found.add(line + text.count("\n", 0, where), "no_variable", name)
        self.line += text.count("\n")
        if text:
            parent = next(each for each in reversed(self.open) if isinstance(each, Element))
            if text.strip() and parent.tag in ONLY:
                self.found.add(line, "text_here", text.strip()[:24])
            self._put(Text(unescape(text)))

    def _token(self, mode: str, name: str) -> None:
        if name not in self.fields.known:
            self.found.add(self.line, "unknown_variable", name)
        elif mode == "/":
            top = self.open[-1]
            if isinstance(top, Section) and top.name == name:
                self.open.pop()
            else:
                self.found.add(self.line, "crossed", f"{{{{/{name}}}}}")
        else:
            self.names.add(name)
            self._known(mode, name)

    def _known(self, mode: str, name: str) -> None:
        around = {each.name for each in self.open if isinstance(each, Section) and each.mode == "#"}
        owner = self.fields.list_of.get(name)
        if owner and owner not in around:
            self.found.add(self.line, "outside_list", name)
        elif mode == "#" and (name not in self.fields.lists or around):
            self.found.add(self.line, "list_in_list" if around else "no_list", name)
        elif mode in ("?", "^") and name not in self.fields.conditions:
            self.found.add(self.line, "no_condition", name)
        elif not mode and (name in self.fields.lists or name in self.fields.flags):
            self.found.add(self.line, "no_text", name)
        elif name in PAGE and not any(
            isinstance(each, Element) and each.tag in ("header", "footer") for each in self.open
        ):
            self.found.add(self.line, "outside_margin", name)
        if mode:
            section = Section(mode, name, self.line)
            self._put(section)
            self._push(section)
            return
        parent = next(each for each in reversed(self.open) if isinstance(each, Element)).tag
        if parent in ONLY or (name == CODE and parent in INLINE_ONLY):
            self.found.add(self.line, "place", name)
        self._put(Variable(name, self.line))

    def _put(self, node: Node) -> None:
        self.nodes += 1
        self.open[-1].children.append(node)

    def _push(self, node: Element | Section) -> None:
        if len(self.open) == DEEPEST + 1:
            self.found.add(self.line, "too_deep", str(DEEPEST))
        self.open.append(node)
