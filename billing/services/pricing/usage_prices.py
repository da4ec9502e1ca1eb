"""Prices of usage. One is added, never changed: it ends the one before on the day before its own first day.

Whoever makes a document that rests on prices takes ``lock_for_transaction(LOCK, shared=True)`` in its transaction.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from audit import services as audit
from billing.debtors import check_not_for_own
from billing.models import PricingPlan, PricingStep
from billing.selectors.pricing.usage_prices import in_force, steps_of
from billing.selectors.pricing.used_prices import displaced_use, last_use
from billing.services.pricing.endings import end_on
from billing.services.pricing.price_checks import NewPrice, check_price
from core.context import Actor
from core.database.decimals import plain
from core.database.locks import lock_for_transaction
from core.errors import BadInput, Conflict
from core.words.wording import day_text, month_text

LOCK = "usage_prices"
KEY = ("organisation_id", "metric_name", "quantity", "unit", "model_id")
SAID = (
    "quantity", "unit", "model_id", "charge_model", "price_per_unit", "package_size", "minimum_charge", "currency",
    "description", "description_th", "effective_from",
)  # fmt: skip


@transaction.atomic
def create_price(*, actor: Actor, price: NewPrice) -> PricingPlan:
    """Raises ``BadInput`` by field; ``effective_from`` is wrong where a price begins then or later already, and where
    a finalized invoice has priced such usage of that month or a later one.

    A first day in the past is taken otherwise: that is how usage that nobody has priced is resolved.
    """
    check_not_for_own(actor, price.organisation)
    check_price(price)
    row = PricingPlan(
        organisation=price.organisation, metric_name=price.metric_name, set_by=actor.name[:64],
        **{name: getattr(price, name) for name in SAID},
    )  # fmt: skip
    lock_for_transaction(LOCK)
    check_place(row)
    before = _same(row).filter(pk__in=in_force(row.effective_from)).first()
    if before is not None:
        before.effective_to = row.effective_from - timedelta(days=1)
        before.save(update_fields=["effective_to"])
    row.save(force_insert=True)
    PricingStep.objects.bulk_create(
        [PricingStep(plan=row, up_to=up_to, price_per_unit=each, flat_fee=fee) for up_to, each, fee in price.steps]
    )
    audit.record(
        actor=actor, action="usage_price_create", target=row.metric_name, entity=row,
        extra={"organisation": str(price.organisation or ""), "ends": before.pk if before else None},
        changes=_changes(before, row),
    )  # fmt: skip
    return row


@transaction.atomic
def end_price(*, actor: Actor, plan: PricingPlan, last_day: date) -> bool:
    """From the day after, the next wider price counts, or none. False when it ends on that day already.

    Raises ``BadInput`` for a day before its first, beyond its end, or before a month that is invoiced by it, and
    ``Conflict`` for a price that is switched off.
    """
    lock_for_transaction(LOCK)
    row = _active(plan)
    check_not_for_own(actor, row.organisation)
    change = end_on(row, last_day, lambda: last_use(row))
    if change is None:
        return False
    plan.effective_to = last_day
    audit.record(
        actor=actor, action="usage_price_end", target=row.metric_name, entity=row, changes={"effective_to": change}
    )
    return True


@transaction.atomic
def switch_off_price(*, actor: Actor, plan: PricingPlan, reason: str) -> bool:
    """As if it had never been: for one that was a mistake. False when it is off already.

    Raises ``Conflict`` when a finalized invoice rests on it (end it instead), ``BadInput`` without a reason. The price
    before it stays ended; a new one may begin on the same day.
    """
    if not reason.strip():
        raise BadInput(_("Say why."), field="reason")
    lock_for_transaction(LOCK)
    row = PricingPlan.objects.select_for_update().get(pk=plan.pk)
    check_not_for_own(actor, row.organisation)
    if not row.is_active:
        return False
    use = last_use(row)
    if use is not None:
        words = _("Invoice %(number)s rests on this price; end it, or set another from a later day.")
        raise Conflict(words % {"number": use.number})
    row.is_active = plan.is_active = False
    row.save(update_fields=["is_active"])
    audit.record(
        actor=actor, action="usage_price_off", target=row.metric_name, entity=row, extra={"reason": reason.strip()},
        changes={"is_active": [True, False]},
    )  # fmt: skip
    return True


def _same(row: PricingPlan) -> QuerySet[PricingPlan]:
    """Active prices of the same thing for the same owner."""
    return PricingPlan.objects.filter(is_active=True, **{name: getattr(row, name) for name in KEY})


def check_place(row: PricingPlan) -> None:
    """Whether a new price may begin on its day. Raises ``BadInput``."""
    later = _same(row).filter(effective_from__gte=row.effective_from).order_by("effective_from").first()
    if later is not None:
        words = _("There is a price from %(day)s on already; choose a later day, or switch that one off.")
        raise BadInput(words % {"day": day_text(later.effective_from)}, field="effective_from")
    use = displaced_use(row, row.effective_from)
    if use is not None:
        words = _("Invoice %(number)s has priced such usage of %(month)s; choose a day after the first of that month.")
        raise BadInput(words % {"number": use.number, "month": month_text(use.month)}, field="effective_from")


def _active(plan: PricingPlan) -> PricingPlan:
    row = PricingPlan.objects.select_for_update().get(pk=plan.pk)
    if not row.is_active:
        raise Conflict(_("This price is switched off."))
    return row


def _changes(before: PricingPlan | None, after: PricingPlan) -> dict[str, list[Any]]:
    then, now = (_facts(row) if row is not None else {} for row in (before, after))
    return {name: [then.get(name), value] for name, value in now.items() if then.get(name) != value}


def _facts(row: PricingPlan) -> dict[str, Any]:
    steps = [
        [None if step.up_to is None else plain(step.up_to), plain(step.price_per_unit), plain(step.flat_fee)]
        for step in steps_of(row)
    ]
    said = {name: getattr(row, name) for name in SAID}
    return {**{name: plain(each) if isinstance(each, Decimal) else each for name, each in said.items()}, "steps": steps}
