"""Charts as SVG text made on the server: no script, no style attributes, colours by class.

The SVG holds bars and grid lines only and stretches to any width; the words of the
axes are HTML beside it, so they keep their size (``templates/parts/chart.html``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

HEIGHT = 100
SLOT = 10
BAR = 7
_STEPS = (Decimal(1), Decimal(2), Decimal(4), Decimal(5), Decimal(8), Decimal(10))


@dataclass(frozen=True, slots=True)
class Bar:
    """One slot: what hovering says, and one amount per series (drawn upwards in this order)."""

    label: str
    values: Sequence[Decimal]

    @property
    def total(self) -> Decimal:
        return sum(self.values, Decimal(0))


@dataclass(frozen=True, slots=True)
class BarChart:
    svg: SafeString
    ticks: list[Decimal]


def nice_ceiling(value: Decimal) -> Decimal:
    """The next round number at or above ``value``: 1, 2, 4, 5, 8 or 10 times a power of ten."""
    if value <= 0:
        return Decimal(1)
    scale = Decimal(1).scaleb(value.adjusted())
    return next(step * scale for step in _STEPS if step * scale >= value)


def bar_chart(bars: Sequence[Bar], *, title: str, description: str) -> BarChart:
    """Stacked bars, one slot each; ``ticks`` are the amounts of the grid lines from the top down."""
    top = nice_ceiling(max((bar.total for bar in bars), default=Decimal(0)))
    width = max(len(bars), 1) * SLOT
    lines = format_html_join(
        "", '<line class="{}" x1="0" x2="{}" y1="{}" y2="{}"/>',
        [("grid", width, 0, 0), ("grid", width, HEIGHT // 2, HEIGHT // 2), ("base", width, HEIGHT, HEIGHT)],
    )  # fmt: skip
    groups = format_html_join("", "{}", ((_group(index, bar, top),) for index, bar in enumerate(bars)))
    svg = format_html(
        '<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img">'
        "<title>{}</title><desc>{}</desc>{}{}</svg>",
        width, HEIGHT, title, description, lines, groups,
    )  # fmt: skip
    return BarChart(svg, [top, top / 2, Decimal(0)])


def _group(index: int, bar: Bar, top: Decimal) -> SafeString:
    left, bottom, parts = index * SLOT, Decimal(HEIGHT), []
    for series, value in enumerate(bar.values, start=1):
        height = (value / top * HEIGHT).quantize(Decimal("0.01"), rounding=ROUND_CEILING)
        if height:
            bottom -= height
            parts.append((f"s{series}", left + (SLOT - BAR) / 2, bottom, BAR, height))
    rects = format_html_join("", '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>', parts)
    return format_html(
        '<g><title>{}</title><rect class="hit" x="{}" y="0" width="{}" height="{}"/>{}</g>',
        bar.label, left, SLOT, HEIGHT, rects,
    )  # fmt: skip
