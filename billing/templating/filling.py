"""Values into a template's tree. What comes out holds elements and text only, but for the numbers of pages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from billing.templating.fields import CODE, PAGE
from billing.templating.markup import Element, Node, Section, Text, Variable
from billing.templating.problems import DOCUMENT, Problem, Refused

MOST_NODES = 60_000
Values = Mapping[str, Any]


def fill(root: Element, values: Values, traced: Collection[str] = ()) -> Element:
    """``values``: text, bool, or for lists a list of mappings. Text of variables that are ``traced`` says where it is
    from: ``total``, ``line_amount 2`` in the second row. Raises ``Refused`` when it grows too large."""
    return _Filler(traced).element(root, values)


class _Filler:
    def __init__(self, traced: Collection[str]) -> None:
        self.nodes, self.traced = 0, traced
        self.row: tuple[int, Values] = 0, {}

    def element(self, element: Element, values: Values) -> Element:
        children = list(self._all(element.children, values))
        return Element(element.tag, element.line, element.classes, element.ident, element.span, element.image, children)

    def _all(self, nodes: list[Node], values: Values) -> Iterator[Node]:
        for node in nodes:
            self.nodes += 1
            if self.nodes > MOST_NODES:
                raise Refused(Problem(DOCUMENT, 0, "document_size", str(MOST_NODES)))
            yield from self._one(node, values)

    def _one(self, node: Node, values: Values) -> Iterator[Node]:
        if isinstance(node, Element):
            yield self.element(node, values)
        elif isinstance(node, Text):
            yield node
        elif isinstance(node, Section):
            yield from self._section(node, values)
        elif node.name in PAGE:
            yield node
        elif node.name == CODE:
            if values[node.name]:
                yield Element("qr", children=[Text(str(values[node.name]))])
        else:
            yield from _lines(str(values[node.name]), self._origin(node.name))

    def _origin(self, name: str) -> str:
        if name not in self.traced:
            return ""
        number, row = self.row
        return f"{name} {number}" if name in row else name

    def _section(self, node: Section, values: Values) -> Iterator[Node]:
        value = values[node.name]
        if node.mode == "#":
            for self.row in enumerate(value, 1):
                yield from self._all(node.children, {**values, **self.row[1]})
            self.row = 0, {}
        elif bool(value) == (node.mode == "?"):
            yield from self._all(node.children, values)


def _lines(text: str, origin: str) -> Iterator[Node]:
    """Line breaks inside of a value stay."""
    for number, line in enumerate(text.splitlines() or [""]):
        if number:
            yield Element("br")
        yield Text(line, origin)


def page_numbers(element: Element, page: int, pages: int) -> Element:
    """A header or footer as it stands on one page."""
    known = {"page": str(page), "pages": str(pages)}
    children: list[Node] = []
    for node in element.children:
        if isinstance(node, Variable):
            children.append(Text(known[node.name]))
        else:
            children.append(page_numbers(node, page, pages) if isinstance(node, Element) else node)
    return Element(element.tag, element.line, element.classes, element.ident, element.span, element.image, children)
