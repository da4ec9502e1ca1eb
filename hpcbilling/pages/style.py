"""Every part of the pages beside each other, for those who build them: with DEBUG for everybody, else for staff."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.forms.usage import WindowForm
from billing.models import ReceiptStatus
from billing.selectors.jobs.usage import STATUS_LABELS, DayRow
from billing.views.day_chart import CHART_DAYS, day_chart
from billing.views.receipt_page import Step
from core.icons import PATHS
from core.periods import day_start
from payments.models import PaymentStatus

TODAY = date(2026, 11, 20)  # a page of examples stays as it is
TOKENS = (
    "paper", "card", "ink", "ink-2", "line", "edge", "accent", "accent-hover", "on-accent", "tint", "good", "good-tint",
    "warn", "warn-tint", "bad", "bad-tint", "series-1", "series-2", "series-3", "series-4",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Term:
    label: str
    hours: Decimal
    rate: Decimal

    @property
    def cost(self) -> Decimal:
        return self.hours * self.rate


@require_safe
def style(request: HttpRequest) -> HttpResponse:
    if not (settings.DEBUG or request.user.is_staff):
        raise Http404
    states: list[tuple[str, str | Promise]] = [*ReceiptStatus.choices, *PaymentStatus.choices, *STATUS_LABELS.items()]
    terms = [
        Term(_("Core-hours"), Decimal("96.0000"), Decimal("1.00")),
        Term(_("GPU-hours"), Decimal("12.0000"), Decimal("5.00")),
        Term(_("GB-hours of memory"), Decimal("384.0000"), Decimal("0.50")),
    ]
    context: dict[str, Any] = {
        "tokens": TOKENS,
        "icons": sorted(PATHS),
        "states": list(dict(states).items()),
        "terms": terms,
        "terms_total": sum((term.cost for term in terms), Decimal(0)),
        "timeline": _timeline(),
        "form": WindowForm({"start": "2026-11-30", "end": "2026-11-01"}),
        "this_month": Decimal("1234.50"),
        "last_month": Decimal("1100.00"),
        "difference": Decimal("134.50"),
        "more": True,
        **day_chart(_days(), TODAY),
    }
    return render(request, "style.html", context)


def _days() -> list[DayRow]:
    """Thirty days of a plausible group: busy weeks, quiet week-ends, some GPU."""
    rows = []
    for number in range(CHART_DAYS):
        day = TODAY - timedelta(days=CHART_DAYS - 1 - number)
        load = Decimal(20 + number * 7 % 45) / (4 if day.weekday() > 4 else 1)  # noqa: PLR2004 - Saturday, Sunday
        gpu = load / 2 if number % 4 == 0 else Decimal(0)
        rows.append(DayRow(day, load, gpu, load / 5, load + gpu + load / 5))
    return rows


def _timeline() -> list[Step]:
    noon = day_start(TODAY) + timedelta(hours=12)
    return [
        Step(_("Created"), noon - timedelta(days=3), "alice", tone="good"),
        Step(_("Checkout opened"), noon - timedelta(days=2), "alice"),
        Step(_("Paid"), noon - timedelta(days=1), _("payment service"), tone="good"),
        Step(_("Refund failed"), noon, "finance", tone="bad"),
        Step(_("Waiting for payment"), None, tone="warn"),
    ]
