"""Revenue by the month in which it was earned, and kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from billing.ledger.chart import KINDS, RETURNS, REVENUE
from billing.models import JournalPosting
from billing.reports.base import Asked, Report, key_of, month_of, parts_of
from billing.reports.entries import of_postings
from billing.selectors.journal import sums_by_side
from core.exports import Column, Kind, Row
from core.money import places, quantize

KIND_LABELS: dict[str, Any] = {
    "jobs": _("Slurm jobs"), "usage": _("metered usage"), "fees": _("plan fees"), "minimum": _("minimum charges"),
    "other": _("other"),
}  # fmt: skip
COLUMNS = (
    Column("month", _("month"), Kind.DAY),
    Column("kind", _("kind")),
    Column("revenue", _("revenue"), Kind.MONEY),
    Column("taken_back", _("taken back"), Kind.MONEY),
    Column("net", _("net revenue"), Kind.MONEY),
    Column("currency", _("currency")),
)


def _postings(asked: Asked) -> QuerySet[JournalPosting]:
    limits = asked.limits(currency="entry__currency", organisation="entry__organisation")
    return JournalPosting.objects.filter(**limits)


def _side(side: str, asked: Asked) -> Q:
    within = Q(**{f"{side}_month__isnull": False})
    if asked.start:
        within &= Q(**{f"{side}_month__gte": asked.start})
    if asked.end:
        within &= Q(**{f"{side}_month__lte": asked.end})
    return within


def rows(asked: Asked) -> Iterator[Row]:
    sums: dict[tuple[date, str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    postings = _postings(asked).filter(_side("debit", asked) | _side("credit", asked))
    for (currency, role, month), amount in sums_by_side(postings).items():
        if month is None or (asked.start and month < asked.start) or (asked.end and month > asked.end):
            continue
        group, _dot, kind = role.partition(".")
        sums[month, kind, currency][group + "." == RETURNS] += amount
    order = {kind: place for place, kind in enumerate(KINDS)}
    for (month, kind, currency), (earned, back) in sorted(
        sums.items(), key=lambda pair: (pair[0][0], pair[0][2], order.get(pair[0][1], 9))
    ):
        revenue, taken = (quantize(amount, places(currency)) for amount in (-earned, back))
        yield month, kind, revenue, taken, revenue - taken, currency


def _behind(asked: Asked) -> QuerySet[JournalPosting]:
    month, kind, currency = parts_of(asked, 3)
    wanted, mine = month_of(month), [REVENUE + kind, RETURNS + kind]
    either = Q(debit__in=mine, debit_month=wanted) | Q(credit__in=mine, credit_month=wanted)
    return _postings(asked).filter(either, entry__currency=currency)


REVENUE_REPORT = Report(
    name="revenue", title=_("Revenue by month and kind"),
    lead=_(
        "By the month in which it was earned: usage and jobs in the month that the invoice bills, fees of quarters and"
        " years by their days. Credit notes count in the month of their issue. Without tax."
    ),
    columns=COLUMNS, rows=rows, posts=True, key=key_of("month", "kind", "currency"),
    words={"kind": KIND_LABELS},
    detail=of_postings("revenue", _("Revenue by month and kind"), _behind),
)  # fmt: skip
