"""``unusual_pattern``: more than the like windows before ever made likely.

The running window is held against the last eight like it (windows.alike_before): the same hour of the last eight days,
the same weekday of the last eight weeks, the last eight weeks, the last eight months. Those before the first usage do
not count, those without usage since count as 0; with fewer than four nothing is said. The rule speaks when the usage
lies above their mean by more than three of their standard deviations (of a sample), and not below a
``threshold_value``, where one is set as a floor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal, localcontext

from core.database.decimals import plain
from usage.alerts.base import Measured, zone_of
from usage.alerts.measures import DIGITS, Ask, measure
from usage.alerts.windows import alike_before, window_of
from usage.models import AlertRule

WINDOWS, LEAST, DEVIATIONS = 8, 4, 3
_SHOWN = Decimal("0.000000001")


def unusual_pattern(rules: Sequence[AlertRule], moment: datetime) -> Iterator[Measured]:
    now = [Ask(rule, window_of(rule.comparison_period, moment, zone_of(rule))) for rule in rules]
    earlier = [Ask(ask.rule, window) for ask in now for window in alike_before(ask.window, WINDOWS)]
    figures = measure([*now, *earlier])
    for place, ask in enumerate(now):
        begin = len(now) + place * WINDOWS
        yield _judge(ask, figures[place], known(figures[begin : begin + WINDOWS]))


def known(latest_first: Sequence[Decimal]) -> list[Decimal]:
    """Without those before the first usage."""
    values = list(latest_first)
    while values and not values[-1]:
        values.pop()
    return values


def bounds(values: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """Mean, and mean plus three standard deviations."""
    with localcontext(prec=DIGITS):
        mean = sum(values, Decimal(0)) / len(values)
        deviation = (sum(((value - mean) ** 2 for value in values), Decimal(0)) / (len(values) - 1)).sqrt()
        return mean.quantize(_SHOWN), (mean + DEVIATIONS * deviation).quantize(_SHOWN)


def _judge(ask: Ask, actual: Decimal, values: Sequence[Decimal]) -> Measured:
    rule, floor = ask.rule, ask.rule.threshold_value
    if len(values) < LEAST:
        return Measured(rule, ask.window, actual, None, False, rule.unit, {"windows": len(values)})
    mean, limit = bounds(values)
    speaks = actual > limit and (floor is None or actual >= floor)
    return Measured(rule, ask.window, actual, limit, speaks, rule.unit, {"windows": len(values), "mean": plain(mean)})
