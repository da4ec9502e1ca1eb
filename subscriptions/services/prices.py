"""What plans cost, by cycle and currency. A fee is added from a day on, never changed; subscriptions keep the one that
they began or were renewed with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from audit import services as audit
from core.context import Actor
from core.database.decimals import size
from core.database.locks import lock_for_transaction
from core.errors import BadInput
from core.money import is_currency, places
from core.periods import today
from subscriptions.models import BillingCycle, Plan, PlanPrice

LOCK = "plan_prices"
DIGITS, PLACES = 11, 4  # 15 in all: as many as SQLite keeps exactly
YEARS = range(2000, 2200)


@transaction.atomic
def set_plan_price(
    *, actor: Actor, plan: Plan, billing_cycle: str, amount: Decimal, currency: str, effective_from: date | None = None
) -> PlanPrice:
    """The fee for one cycle from a day of the site on (default: today). 0 is a plan without a fee. Raises ``BadInput``
    by field.

    Only the first fee of a plan, cycle and currency may begin in the past: no subscription can rest on another.
    """
    day = effective_from or today()
    check_plan_price(billing_cycle, amount, currency, day)
    lock_for_transaction(LOCK)
    known = PlanPrice.objects.filter(plan=plan, billing_cycle=billing_cycle, currency=currency)
    check_day(known.values_list("effective_from", flat=True), day)
    before = known.filter(effective_from__lt=day).order_by("-effective_from").first()
    row = PlanPrice.objects.create(
        plan=plan, billing_cycle=billing_cycle, amount=amount, currency=currency, effective_from=day,
        set_by=actor.name[:64],
    )  # fmt: skip
    audit.record(
        actor=actor, action="plan_price_set", target=plan.code, entity=row,
        changes={"amount": [before.amount if before else None, amount]},
        extra={"billing_cycle": billing_cycle, "currency": currency, "effective_from": day},
    )  # fmt: skip
    return row


def check_plan_price(billing_cycle: str, amount: Decimal, currency: str, day: date) -> None:
    """Raises ``BadInput`` with what is wrong, by field."""
    wrong: dict[str, list[str]] = {}
    if billing_cycle not in BillingCycle.values:
        wrong["billing_cycle"] = [_("Choose a billing cycle.")]
    if not is_currency(currency):
        wrong["currency"] = [_("Three capital letters of a currency, such as THB.")]
    elif not _fits(amount, most := min(places(currency), PLACES)):
        words = _("A fee of 0 or more with at most %(places)d decimal places (%(currency)s).")
        wrong["amount"] = [words % {"places": most, "currency": currency}]
    if day.year not in YEARS:
        wrong["effective_from"] = [_("A year from 2000 to 2199 is wanted.")]
    if wrong:
        raise BadInput("; ".join(words for each in wrong.values() for words in each), errors=wrong)


def check_day(known: Iterable[date], day: date) -> None:
    """Whether a fee may begin then, beside the days on which those that are ``known`` begin. Raises ``BadInput``."""
    days = set(known)
    if day in days:
        raise BadInput(_("There is a fee from this day on already."), field="effective_from")
    if days and day < today():
        words = _("A fee cannot begin in the past: subscriptions may rest on the one before.")
        raise BadInput(words, field="effective_from")


def _fits(amount: Decimal, decimals: int) -> bool:
    if not amount.is_finite() or amount < 0:
        return False
    whole, behind = size(amount)
    return whole <= DIGITS and behind <= decimals
