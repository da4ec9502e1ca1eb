"""The fees of one subscription as its page, the console and the API show them. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from billing.cycles import local_day
from billing.models import SubscriptionCharge
from billing.selectors.fees import PAUSES, Fees, NoPrice, credit_of, parked_words, zone_of
from billing.words.fees import charge_days, convention_words, days_words, how_words, why_words
from core.clock import now_for
from core.money import places
from core.words.wording import day_text, decimal_text, money_text
from subscriptions.models import LIVE, Plan, PlanPrice, Subscription, SubscriptionStatus

SHOWN = 24


@dataclass(frozen=True, slots=True)
class ChargeLine:
    charge: SubscriptionCharge
    amount: str
    days: str
    why: str
    how: str


@dataclass(frozen=True, slots=True)
class FeeView:
    """Texts are empty where there is nothing to say."""

    fee: str
    period: str
    comes: str  # the next fee, or what happens instead
    plan_to_come: str
    cycle_to_come: str
    ends: datetime | None  # where it ends with its period
    parked: str
    rest_given_back: str
    convention: str
    lines: list[ChargeLine]
    more: bool


def charges_of(subscription: Subscription) -> QuerySet[SubscriptionCharge]:
    rows = SubscriptionCharge.objects.filter(subscription=subscription)
    return rows.select_related("subscription", "price").order_by("-id")


def fee_view(subscription: Subscription) -> FeeView:
    row, now = subscription, now_for(subscription.organisation)
    charges = list(charges_of(row)[: SHOWN + 1])
    live, zone = row.status in LIVE, zone_of(row)
    runs = row.period_start is not None and row.period_end is not None and row.period_end > now and live
    credit = credit_of(row, now, ends=True) if runs else None
    return FeeView(
        fee=fee_words(row, now),
        period=days_words(row.period_start, row.period_end, zone) if row.period_start and row.period_end else "",
        comes=_comes(row) if live else "",
        plan_to_come=row.next_plan.label if row.next_plan and live else "",
        cycle_to_come=row.get_next_cycle_display() if row.next_cycle and live else "",
        ends=row.next_billing_at if row.cancel_at_period_end and live else None,
        parked=parked_words(row) if live else "",
        rest_given_back=money_text(-credit.amount, credit.currency) if credit else "",
        convention=convention_words(),
        lines=[line_of(each) for each in charges[:SHOWN]],
        more=len(charges) > SHOWN,
    )


def line_of(charge: SubscriptionCharge) -> ChargeLine:
    amount = decimal_text(charge.amount, places(charge.currency))
    return ChargeLine(charge, amount, charge_days(charge), why_words(charge), how_words(charge))


def fee_words(row: Subscription, now: datetime) -> str:
    """What a period costs: by the price that it has, else by the one in force."""
    price = row.price
    if price is None:
        day = local_day(row.next_billing_at or row.trial_end_at or now, zone_of(row))
        return next_fee_words(row, row.plan, day)
    return _priced(row, price)


def next_fee_words(row: Subscription, plan: Plan, day: date, cycle: str = "") -> str:
    """The fee of ``plan`` from ``day`` on, in the subscription's own cycle unless told."""
    try:
        price = Fees.of([plan.pk]).price(plan, cycle or row.billing_cycle, row.currency, day)
    except NoPrice as error:
        return error.message
    if price is None:
        return _("free of charge")
    return _priced(row, price)


def _priced(row: Subscription, price: PlanPrice) -> str:
    words = _("%(amount)s, %(cycle)s")
    return words % {"amount": money_text(price.amount, price.currency), "cycle": price.get_billing_cycle_display()}


def _comes(row: Subscription) -> str:
    if row.status == SubscriptionStatus.SUSPENDED and row.suspended_for in PAUSES:
        return _("none while it rests; a new period begins when it goes on")
    if row.next_billing_at is None or row.cancel_at_period_end:
        return ""
    day = local_day(row.next_billing_at, zone_of(row))
    words = _("%(fee)s on %(day)s")
    return words % {"fee": next_fee_words(row, row.next_plan or row.plan, day, row.next_cycle), "day": day_text(day)}
