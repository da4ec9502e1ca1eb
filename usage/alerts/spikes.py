"""``usage_spike``: the running window against what is usual.

Usual is the last complete window of ``spike_comparison_period``; where that is longer than the rule's own window, its
average for one of them (a day against the last week: a seventh of it). The rule speaks when the usage lies above the
usual by ``spike_threshold_percent`` ("at least", or "more than"). A ``threshold_value`` is a floor: less usage than
that is no rise worth telling. After a window without any usage only such a floor can speak: nothing has no percentage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal, localcontext

from core.database.decimals import plain
from usage.alerts.base import Measured, holds, zone_of
from usage.alerts.measures import DIGITS, Ask, measure
from usage.alerts.windows import before, share_of, window_of
from usage.models import AlertRule

_SHOWN = Decimal("0.000000001")


def usage_spike(rules: Sequence[AlertRule], moment: datetime) -> Iterator[Measured]:
    now = [Ask(rule, window_of(rule.comparison_period, moment, zone_of(rule))) for rule in rules]
    then = [Ask(rule, before(window_of(rule.spike_comparison_period, moment, zone_of(rule)))) for rule in rules]
    figures = measure([*now, *then])
    for place, (ask, earlier) in enumerate(zip(now, then, strict=True)):
        with localcontext(prec=DIGITS):
            usual = figures[len(now) + place] / share_of(ask.rule.comparison_period, earlier.window)
            measured = _judge(ask, figures[place], usual.quantize(_SHOWN), earlier)
        yield measured


def _judge(ask: Ask, actual: Decimal, usual: Decimal, earlier: Ask) -> Measured:
    rule, floor = ask.rule, ask.rule.threshold_value
    percent = rule.spike_threshold_percent or Decimal(0)
    limit = (usual * (100 + percent) / 100).quantize(_SHOWN)
    if usual:
        speaks = holds(rule.threshold_operator, actual, limit) and (floor is None or actual >= floor)
        rise = plain(((actual - usual) * 100 / usual).quantize(Decimal("0.1")))
    else:
        speaks, rise = floor is not None and actual > 0 and actual >= floor, ""
    facts = {
        "usual": plain(usual), "rise_percent": rise, "compared_with": rule.spike_comparison_period,
        "compared_start": earlier.window.start.isoformat(), "compared_end": earlier.window.end.isoformat(),
    }  # fmt: skip
    return Measured(rule, ask.window, actual, limit, speaks, rule.unit, facts)
