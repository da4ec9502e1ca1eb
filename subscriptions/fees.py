"""Which fee of a plan is in force on a day. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from core.periods import today
from subscriptions.models import BillingCycle, Plan, PlanPrice

_ORDER = {cycle: place for place, cycle in enumerate(BillingCycle.values)}


def price_at(plan: Plan, billing_cycle: str, currency: str, day: date) -> PlanPrice | None:
    """The fee for a cycle that begins on ``day``; None: the plan has none in this currency."""
    rows = PlanPrice.objects.filter(plan=plan, billing_cycle=billing_cycle, currency=currency, effective_from__lte=day)
    return rows.order_by("-effective_from").first()


def prices_on(plan: Plan, day: date | None = None) -> list[PlanPrice]:
    """All fees in force on a day (default: today), by cycle and currency; no query where ``prices`` are prefetched."""
    newest: dict[tuple[str, str], PlanPrice] = {}
    for row in sorted(plan.prices.all(), key=lambda row: row.effective_from):
        if row.effective_from <= (day or today()):
            newest[(row.billing_cycle, row.currency)] = row
    return _by_cycle(newest.values())


def _by_cycle(rows: Iterable[PlanPrice]) -> list[PlanPrice]:
    return sorted(rows, key=lambda row: (_ORDER[row.billing_cycle], row.currency))
