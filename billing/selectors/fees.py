"""What a subscription costs and when: the price in force on a day, the period that runs, the next one. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.cycles import Part, Period, Span, begins, first_instant, local_day, on_anchor, period, rest, share
from billing.models import ChargeKind, CreditNoteLine, InvoiceLine, InvoiceStatus, LineKind, SubscriptionCharge
from core.database.decimals import plain
from core.errors import Busy, Conflict
from core.money import places, quantize
from core.words.wording import day_text
from subscriptions.models import (
    USABLE,
    BillingCycle,
    Plan,
    PlanPrice,
    Subscription,
    SubscriptionStatus,
    SuspendedFor,
)

PARKED = "parked"  # why the last renewal failed, in a subscription's metadata
# Resting for one of these, a subscription comes to no fees.
PAUSES = (SuspendedFor.STAFF, SuspendedFor.PAYMENT)


class NoPrice(Conflict):
    """The plan has prices, but none in force for this cycle, currency and day."""

    code = "no_price"


@dataclass(frozen=True, slots=True)
class Fees:
    """The prices of some plans, read once."""

    rows: dict[tuple[int, str, str], list[PlanPrice]]
    priced: frozenset[int]

    @classmethod
    def of(cls, plans: Iterable[int]) -> Fees:
        found: dict[tuple[int, str, str], list[PlanPrice]] = {}
        for row in PlanPrice.objects.filter(plan__in=set(plans)).order_by("-effective_from"):
            found.setdefault((row.plan_id, row.billing_cycle, row.currency), []).append(row)
        return cls(found, frozenset(plan for plan, _cycle, _currency in found))

    def price(self, plan: Plan, cycle: str, currency: str, day: date) -> PlanPrice | None:
        """The price in force on ``day``. None: the plan has no prices at all, it is free. Raises ``NoPrice``."""
        for row in self.rows.get((plan.pk, cycle, currency), ()):
            if row.effective_from <= day:
                return row
        if plan.pk not in self.priced:
            return None
        raise NoPrice(no_price_words(plan.code, cycle, currency, day))


@dataclass(frozen=True, slots=True)
class PlanQuote:
    """What a change at the moment ``at`` comes to: what is given back and charged for the rest of the period (None:
    nothing), and the ``price`` from the next period on (None: free, or still on trial)."""

    plan: Plan
    price: PlanPrice | None
    at: datetime
    credit: SubscriptionCharge | None
    charge: SubscriptionCharge | None
    currency: str
    period_end: datetime | None
    token: str

    @property
    def net(self) -> Decimal:
        return sum((each.amount for each in (self.credit, self.charge) if each), Decimal(0))


def no_price_words(plan: str, cycle: str, currency: str, day: date) -> str:
    words = _("The plan %(plan)s has no fee for %(cycle)s, %(currency)s on %(day)s.")
    return words % {"plan": plan, "cycle": BillingCycle(cycle).label, "currency": currency, "day": day_text(day)}


def parked_words(subscription: Subscription) -> str:
    """Why it could not be renewed, in the reader's language; empty when it could."""
    return trouble_words(subscription.metadata.get(PARKED))


def trouble_words(facts: object) -> str:
    if not isinstance(facts, dict):
        return ""
    if facts.get("code") == NoPrice.code:
        day = date.fromisoformat(facts["day"])
        return no_price_words(facts["plan"], facts["cycle"], facts["currency"], day)
    if facts.get("code") == Busy.code:
        return _("Somebody else changes it at this moment; the next run tries again.")
    return _("The holder has another subscription to %(plan)s, which was to begin.") % {"plan": facts.get("plan", "")}


def zone_of(subscription: Subscription) -> ZoneInfo:
    """Where the days of its periods are counted: the organisation's, else the site's."""
    if subscription.organisation is not None:
        return subscription.organisation.zone
    return ZoneInfo(timezone.get_default_timezone_name())


def due(now: datetime) -> QuerySet[Subscription]:
    """Those for whom a period begins, in SQL; ``advance`` has the last word."""
    moment = Coalesce("next_billing_at", "trial_end_at", "start_at")
    runs = Q(status__in=USABLE) | Q(status=SubscriptionStatus.SUSPENDED) & ~Q(suspended_for__in=PAUSES)
    stays = Q(cancel_at_period_end=False) | Q(next_billing_at__isnull=True)
    open_end = Q(end_at__isnull=True) | Q(end_at__gt=F("begins"))
    return Subscription.objects.alias(begins=moment).filter(runs, stays, open_end, begins__lte=now)


def next_period(subscription: Subscription, moment: datetime, cycle: str = "") -> tuple[int, Period, Span]:
    """Anchor, days and instants of the period that begins where the last one ended, or first of all at ``moment``; in
    the subscription's billing cycle unless told."""
    zone, cycle = zone_of(subscription), cycle or subscription.billing_cycle
    anchor = subscription.anchor_day
    if anchor is None or subscription.period_end is None:
        day = local_day(moment, zone)
        days = period(day.day, day, cycle, 0)
        return day.day, days, Span(first_instant(day, zone), first_instant(days.end, zone))
    days = period(anchor, _nominal(anchor, moment, zone), cycle, 0)
    return anchor, days, Span(moment, first_instant(days.end, zone))


def _nominal(anchor: int, moment: datetime, zone: ZoneInfo) -> date:
    """The anchored day that begins at ``moment``; a zone that was changed since may have moved it by one."""
    day = local_day(moment, zone)
    near = (day, day + timedelta(days=1), day - timedelta(days=1))
    return next((each for each in near if on_anchor(anchor, each)), day)


def charged_within(subscription: Subscription) -> Decimal:
    """What the period that runs has come to so far, credits taken off."""
    start, end = subscription.period_start, subscription.period_end
    if start is None or end is None:
        return Decimal(0)
    rows = SubscriptionCharge.objects.filter(subscription=subscription, period_end=end, period_start__gte=start)
    # what an invoice carries on to the next one is the same credit again
    rows = rows.exclude(explanation__has_key="carried_from")
    amounts = dict(rows.values_list("pk", "amount"))
    back = taken_back(amounts)
    left = sum((amount - back.get(pk, Decimal(0)) for pk, amount in amounts.items()), Decimal(0))
    return quantize(left, places(subscription.currency))


def taken_back(charges: Mapping[int, Decimal]) -> dict[int, Decimal]:
    """What credit notes took back of these charges (key to amount), in the charges' own currency: the same part of the
    charge as of its line. A canceled invoice has let its charges go: what they came to counts where they are now."""
    theirs = SubscriptionCharge.objects.filter(pk__in=list(charges)).values("subscription")  # that has an index
    lines = InvoiceLine.objects.filter(subscription__in=theirs, source__charge__in=list(charges))
    lines = lines.filter(kind__in=(LineKind.FEE, LineKind.PRORATION)).exclude(net=0)
    lines = lines.exclude(invoice__status=InvoiceStatus.CANCELED)
    of_line = {line.pk: line for line in lines.select_related("invoice")}
    found: dict[int, Decimal] = defaultdict(Decimal)
    for row in CreditNoteLine.objects.filter(line__in=list(of_line)):
        line = of_line[row.line_id]
        part = row.net + row.tax if line.invoice.tax_inclusive else row.net  # as amounts stand on lines
        charge = line.source["charge"]
        with localcontext(prec=60):
            found[charge] += quantize(charges[charge] * part / line.net, places(line.source["currency"]))
    return found


def credit_of(row: Subscription, moment: datetime, *, ends: bool = False) -> SubscriptionCharge | None:
    """What comes back for the rest of the period that runs, unsaved: never more than it was charged. None: nothing.

    ``ends``: nothing follows it. Then its first day is paid in any case, or a day's use would cost nothing; and while
    it rests by staff or for want of payment nothing comes back, as the period in which that happens stays charged.
    """
    if row.price is None or row.period_start is None or row.period_end is None or row.period_end <= moment:
        return None
    if ends and row.suspended_for in PAUSES:
        return None
    convention, zone, within = settings.BILLING_PRORATION, zone_of(row), Span(row.period_start, row.period_end)
    since = max(moment, first_instant(local_day(within.start, zone) + timedelta(days=1), zone)) if ends else moment
    left = rest(convention, within, since, zone)
    wanted, most = share(row.price.amount, row.currency, left), charged_within(row)
    amount = min(wanted, most)
    if amount <= 0:
        return None
    capped = {"most": f"{most:f}"} if most < wanted else {}
    return SubscriptionCharge(
        subscription=row, kind=ChargeKind.CREDIT, price=row.price, amount=-amount, currency=row.currency,
        period_start=begins(convention, within, since, zone), period_end=row.period_end, due_at=moment,
        explanation=explain(row.plan, row.price, within, zone, why="credit", part=left) | capped,
    )  # fmt: skip


def explain(
    plan: Plan, price: PlanPrice, within: Span, zone: ZoneInfo, *, why: str, part: Part | None = None
) -> dict[str, Any]:
    """How an amount comes about, as it is kept with the charge."""
    facts: dict[str, Any] = {
        "why": why, "plan": plan.code, "cycle": price.billing_cycle, "fee": plain(price.amount),
        "currency": price.currency, "price_from": price.effective_from.isoformat(), "zone": zone.key,
        "from": local_day(within.start, zone).isoformat(), "to": local_day(within.end, zone).isoformat(),
        "convention": part.unit if part else "whole",
    }  # fmt: skip
    return facts | ({"units": part.units, "whole": part.whole} if part else {})
