"""Elements into strips: blocks, lists, pictures, codes and tables, one below the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from billing.templating.cascade import Cascade, Style
from billing.templating.inline import Faces, Span, natural, paragraph
from billing.templating.markup import Element, Node, Text
from billing.templating.strips import Box, Code, Mark, Picture, Strip, joined, merged, space
from billing.templating.styles import in_points

WHOLE = 260.0  # a framed block that is not higher stays in one piece
PX = 0.75


@dataclass(frozen=True, slots=True)
class At:
    """An element on its way into strips: where it hangs, and its style."""

    path: tuple[Element, ...]
    places: tuple[tuple[bool, bool], ...]
    style: Style

    @property
    def element(self) -> Element:
        return self.path[-1]


class Layout:
    def __init__(self, cascade: Cascade, faces: Faces) -> None:
        self.cascade, self.faces = cascade, faces
        self.kept: dict[int, tuple[Element, float]] = {}

    def root(self, element: Element, base: Style, x: float, room: float) -> list[Strip]:
        """The strips of the children of ``element``; it has no frame of its own."""
        return self._inside(At((element,), ((True, True),), base), x, room)

    def below(self, at: At, room: float) -> Iterator[tuple[Node, At | None]]:
        """Each child; elements with their style."""
        elements = [node for node in at.element.children if isinstance(node, Element)]
        for node in at.element.children:
            if not isinstance(node, Element):
                yield node, None
                continue
            path, places = (*at.path, node), (*at.places, (node is elements[0], node is elements[-1]))
            style = self.cascade.style(path, places, at.style, room)
            if style.display != "none":
                yield node, At(path, places, style)

    # --- blocks ----------------------------------------------------------------------
    def block(self, at: At, x: float, room: float) -> list[Strip]:
        """With its margins."""
        style = at.style
        top, right, bottom, left = style.margin
        x, room = x + left, max(room - left - right, 8.0)
        if style.width and at.element.tag not in ("img", "qr", "td", "th"):
            room = min(max(in_points(style.width, style.size, room), 8.0), room)
        if at.element.tag in ("img", "qr"):
            strips = [self._replaced(at, x, room)]
        elif at.element.tag == "table":
            from billing.templating.tables import table_strips

            strips = table_strips(self, at, x, room)
        else:
            strips = self.framed(at, x, room)
        if style.new_page and strips:
            strips[0] = replace(strips[0], new_page=True)
        if style.keep:
            strips = [replace(strip, keep=True) for strip in strips]
        elif style.whole and len(strips) > 1:
            strips = [merged(strips)]
        return joined(space(top), strips, space(bottom))

    def framed(self, at: At, x: float, room: float) -> list[Strip]:
        style = at.style
        if style.is_plain:
            return self._inside(at, x, room)
        top, right, bottom, left = (pad + line[0] for pad, line in zip(style.padding, style.border, strict=True))
        inside = self._inside(at, x + left, max(room - left - right, 8.0))
        strips = [*([Strip(top)] if top else []), *inside, *([Strip(bottom)] if bottom else [])]
        if len(strips) > 1 and (style.whole or sum(strip.height for strip in strips) <= WHOLE):
            strips = [merged(strips)]
        last = len(strips) - 1
        return [
            replace(
                strip, is_space=False,
                marks=[*frame(style, x, room, strip.height, first=not number, last=number == last), *strip.marks],
            )
            for number, strip in enumerate(strips)
        ]  # fmt: skip

    def _inside(self, at: At, x: float, room: float) -> list[Strip]:
        found: list[Strip] = []
        spans: list[Span] = []
        number = 0
        for node, child in self.below(at, room):
            if child is None or child.style.display == "inline":
                spans += self.spans(node, at, child)
                continue
            found = joined(found, paragraph(spans, at.style, self.faces, x, room))
            spans = []
            strips = self.block(child, x, room)
            if child.element.tag == "li":
                number += 1
                strips = self._marked(child, strips, f"{number}." if at.element.tag == "ol" else "•", x)
            found = joined(found, strips)
        return joined(found, paragraph(spans, at.style, self.faces, x, room))

    def _marked(self, at: At, strips: list[Strip], sign: str, x: float) -> list[Strip]:
        """A list's sign beside its first line."""
        dot = paragraph([Span(sign, at.style)], at.style, self.faces, x - 12, 12)[0].marks
        for number, strip in enumerate(strips):
            if not strip.is_space:
                strips[number] = replace(strip, marks=[*dot, *strip.marks])
                break
        return strips

    def _replaced(self, at: At, x: float, room: float) -> Strip:
        style, element = at.style, at.element
        wide, high = (element.image.width * PX, element.image.height * PX) if element.image else (82.0, 82.0)
        ratio = high / wide
        width = in_points(style.width, style.size, room) if style.width else 0.0
        width = width or (style.height / ratio if style.height else wide)
        width = min(max(width, 1.0), room)
        height = min(style.height if style.height and style.width else width * ratio, 700.0)
        left = x + {"left": 0.0, "center": 0.5, "right": 1.0}[style.align] * (room - width)
        mark: Mark
        if element.image:
            mark = Picture(left, 0.0, width, height, element.image)
        else:
            (text,) = element.children
            mark, height = Code(left, 0.0, width, text.text if isinstance(text, Text) else ""), width
        return Strip(height, [mark])

    # --- words -----------------------------------------------------------------------
    def spans(self, node: Node, parent: At, at: At | None) -> list[Span]:
        if isinstance(node, Text):
            return [Span(node.text, replace(parent.style, origin=node.origin) if node.origin else parent.style)]
        if at is None:
            return []
        if at.element.tag == "br":
            return [Span(None, at.style)]
        found: list[Span] = []
        for inner, child in self.below(at, 0):
            if child is not None and child.style.display == "block":
                child = replace(child, style=replace(child.style, display="inline"))  # noqa: PLW2901
            found += self.spans(inner, at, child)
        return found

    def natural(self, at: At) -> float:
        """The width of what is inside where nothing makes lines end."""
        style = at.style
        sides = sum(style.padding[side] + style.border[side][0] + style.margin[side] for side in (1, 3))
        if at.element.tag in ("img", "qr"):
            return sides + self._replaced(at, 0, 600).marks[0].width if at.element.image else sides + 82.0  # type: ignore[union-attr]
        if style.width and style.width[1] != "%" and at.element.tag not in ("td", "th"):
            return sides + in_points(style.width, style.size, 0)
        widest, spans, beside = 0.0, list[Span](), 0.0
        for node, child in self.below(at, 0):
            if child is None or child.style.display == "inline":
                spans += self.spans(node, at, child)
                continue
            width = self.natural(child)
            if at.element.tag == "tr":
                beside += width
            widest = max(widest, width)
        return sides + max(widest, beside, natural(spans, self.faces))


def frame(style: Style, x: float, width: float, height: float, *, first: bool = True, last: bool = True) -> list[Mark]:
    """Background and lines of a box; of one that pages part, the upper line is the first's and the lower the last's."""
    marks: list[Mark] = []
    if style.background:
        marks.append(Box(x, 0.0, width, height, style.background, style.radius if first and last else 0.0))
    (top, ink_t), (right, ink_r), (bottom, ink_b), (left, ink_l) = style.border
    if top and first:
        marks.append(Box(x, 0.0, width, top, ink_t))
    if bottom and last:
        marks.append(Box(x, height - bottom, width, bottom, ink_b))
    if left:
        marks.append(Box(x, 0.0, left, height, ink_l))
    if right:
        marks.append(Box(x + width - right, 0.0, right, height, ink_r))
    return marks
