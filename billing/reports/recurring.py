"""Recurring revenue: what subscriptions come to in a month, and what moved it.

The monthly worth of a customer at the end of a month (of the current one: now) is the sum of the fees of the periods
that hold that moment, each divided by the months of its cycle and rounded once; what a change or an end gave back
counts against it. Trials and free plans have no fee, so they are worth nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from billing.models import ChargeKind, SubscriptionCharge
from billing.reports.base import Asked, Report, key_of, month_of, parts_of
from core.clock import real
from core.exports import CHUNK, Column, Kind, Row
from core.money import places, quantize
from core.periods import month_start, month_window, next_month, previous_month, today
from subscriptions.models import BillingCycle

MONTHS_OF = {BillingCycle.MONTHLY: 1, BillingCycle.QUARTERLY: 3, BillingCycle.YEARLY: 12}
YEAR = 12
MOVES = ("new", "expansion", "contraction", "churn")
COLUMNS = (
    Column("month", _("month"), Kind.DAY),
    Column("opening", _("at its beginning"), Kind.MONEY),
    Column("new", _("new"), Kind.MONEY),
    Column("expansion", _("more of the same customers"), Kind.MONEY),
    Column("contraction", _("less of the same customers"), Kind.MONEY),
    Column("churn", _("lost"), Kind.MONEY),
    Column("mrr", _("a month (MRR)"), Kind.MONEY),
    Column("arr", _("a year (ARR)"), Kind.MONEY),
    Column("customers", _("customers"), Kind.INT),
    Column("currency", _("currency")),
)
CUSTOMERS = (
    Column("customer", _("customer")),
    Column("before", _("before"), Kind.MONEY),
    Column("now", _("now"), Kind.MONEY),
    Column("change", _("change"), Kind.MONEY),
    Column("move", _("kind of change")),
    Column("currency", _("currency")),
)
Customer = tuple[str, str]  # name, currency
Worth = dict[date, dict[Customer, Decimal]]


def worth(asked: Asked, months: list[date]) -> Worth:
    """Of each customer at the end of each of these months (consecutive): one statement, read as it comes."""
    now = timezone.now()
    moments = {month: min(month_window(month).end or now, now) for month in months}
    found: Worth = {month: defaultdict(Decimal) for month in months}
    rows = real(SubscriptionCharge.objects.filter(
        period_start__lt=max(moments.values()), period_end__gte=min(moments.values()),
        **asked.limits(currency="currency", organisation="subscription__organisation"),
    ).exclude(explanation__has_key="carried_from"), "subscription__organisation").order_by()  # fmt: skip
    columns = ("kind", "price__amount", "price__billing_cycle", "currency", "period_start", "period_end",
               "subscription__organisation__name", "subscription__user_id")  # fmt: skip
    for kind, amount, cycle, currency, start, end, organisation, user in rows.values_list(*columns).iterator(CHUNK):
        monthly = quantize(amount / MONTHS_OF[cycle], places(currency))
        for month, moment in moments.items():
            if _holds(start, end, moment):
                found[month][organisation or user or "", currency] += -monthly if kind == ChargeKind.CREDIT else monthly
    return found


def _holds(start: datetime, end: datetime, moment: datetime) -> bool:
    """The moment is the end of a month: a period that begins with the next one is not in it."""
    return start < moment <= end


def _window(asked: Asked) -> list[date]:
    """The month before the first, and all of them; the last twelve by default."""
    end = min(asked.end or month_start(today()), month_start(today()))
    start = asked.start
    if start is None:
        start = end
        for _each in range(YEAR - 1):
            start = previous_month(start)
    months = [previous_month(start)]
    while next_month(months[-1]) <= end:
        months.append(next_month(months[-1]))
    return months


def move_of(before: Decimal, now: Decimal) -> str:
    if before == now:
        return ""
    if not before:
        return "new"
    if not now:
        return "churn"
    return "expansion" if now > before else "contraction"


def rows(asked: Asked) -> Iterator[Row]:
    months = _window(asked)
    found = worth(asked, months)
    for last, month in pairwise(months):
        currencies = {currency for each in (last, month) for _name, currency in found[each]}
        for currency in sorted(currencies):
            yield _figures(month, found[last], found[month], currency)


def _figures(month: date, before: dict[Customer, Decimal], now: dict[Customer, Decimal], currency: str) -> Row:
    sums, customers = dict.fromkeys(MOVES, Decimal(0)), 0
    opening = closing = Decimal(0)
    for key in {key for each in (before, now) for key in each if key[1] == currency}:
        was, is_now = before.get(key, Decimal(0)), now.get(key, Decimal(0))
        opening, closing, customers = opening + was, closing + is_now, customers + bool(is_now)
        if move := move_of(was, is_now):
            sums[move] += is_now - was
    return (month, opening, *(sums[move] for move in MOVES), closing, closing * YEAR, customers, currency)


def customers_of(asked: Asked) -> Iterator[Row]:
    month, currency = parts_of(asked, 2)
    wanted = month_of(month)
    found = worth(asked, [previous_month(wanted), wanted])
    before, now = found[previous_month(wanted)], found[wanted]
    for name, code in sorted({key for each in (before, now) for key in each if key[1] == currency}):
        was, is_now = before.get((name, code), Decimal(0)), now.get((name, code), Decimal(0))
        if was or is_now:
            yield name, was, is_now, is_now - was, move_of(was, is_now), code


def charges_url(row: dict[str, Any]) -> str:
    return f"{reverse('admin:billing_subscriptioncharge_changelist')}?{urlencode({'q': row['customer']})}"


RECURRING_REPORT = Report(
    name="recurring", title=_("Recurring revenue"),
    lead=_(
        "What subscriptions are worth a month at the end of each month, fees of quarters and years divided by their"
        " months, and what moved it. Trials and free plans are worth nothing."
    ),
    columns=COLUMNS, rows=rows, months=YEAR, key=key_of("month", "currency"),
    detail=Report(
        name="recurring", title=_("Recurring revenue"), lead=_("The customers of the month."), columns=CUSTOMERS,
        rows=customers_of, url=charges_url,
        words={"move": {"new": _("new"), "expansion": _("more"), "contraction": _("less"), "churn": _("lost")}},
    ),
)  # fmt: skip
