"""Which price a month's usage has: read once for an organisation or for many, asked often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Q, QuerySet

from accounts.models import Organisation
from billing.charging import Charged, Step, charge
from billing.models import ChargeModel, PricingPlan, Quantity

STEPPED = (ChargeModel.GRADUATED, ChargeModel.VOLUME)
Key = tuple[str, str, str, str]  # metric, quantity, unit, AI model


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices of one organisation in one month, its own and those for all. Asking costs no query.

    A month has the prices of its first day, a day of the organisation's calendar; one that begins later counts from
    the next month on.
    """

    own: Mapping[Key, PricingPlan]
    general: Mapping[Key, PricingPlan]

    def price(
        self, metric_name: str, quantity: str = Quantity.VALUE, unit: str = "", model_id: str = ""
    ) -> PricingPlan | None:
        """The organisation's own price before one for all; of these, one of the AI model before one of any, then one
        of the unit before one of any. None: usage that nobody has priced, which must stop an invoice."""
        models, units = dict.fromkeys((model_id, "")), dict.fromkeys((unit, ""))
        for plans in (self.own, self.general):
            for model in models:
                for each in units:
                    if found := plans.get((metric_name, str(quantity), each, model)):
                        return found
        return None


def prices_for(organisation: Organisation, month_start: date) -> PriceTable:
    """In two queries. ``month_start`` is the first day of the month, in the organisation's zone."""
    return price_tables([organisation.pk], month_start)[organisation.pk]


def price_tables(organisations: Iterable[int], month_start: date) -> dict[int, PriceTable]:
    """The same for many organisations, by their id; two queries however many they are."""
    wanted = list(organisations)
    plans = in_force(month_start).filter(Q(organisation__isnull=True) | Q(organisation__in=wanted))
    general: dict[Key, PricingPlan] = {}
    own: dict[int, dict[Key, PricingPlan]] = {number: {} for number in wanted}
    for plan in plans.prefetch_related("steps").order_by("effective_from", "pk"):
        held = general if plan.organisation_id is None else own[plan.organisation_id]
        held[(plan.metric_name, plan.quantity, plan.unit, plan.model_id)] = plan
    return {number: PriceTable(own[number], general) for number in wanted}


def in_force(day: date) -> QuerySet[PricingPlan]:
    """Active prices that count on a day, the first and the last day of each included."""
    open_then = Q(effective_to__isnull=True) | Q(effective_to__gte=day)
    return PricingPlan.objects.filter(open_then, is_active=True, effective_from__lte=day)


def steps_of(plan: PricingPlan) -> list[Step]:
    """From the lowest to the open one."""
    steps = [Step(step.up_to, step.price_per_unit, step.flat_fee) for step in plan.steps.all()]
    return sorted(steps, key=lambda step: (step.up_to is None, step.up_to or Decimal(0)))


def charge_by(plan: PricingPlan, quantity: Decimal) -> Charged:
    """What a quantity costs by a price, unrounded, in its currency; without its minimum charge."""
    return charge(
        model=plan.charge_model, quantity=quantity, price_per_unit=plan.price_per_unit,
        package_size=plan.package_size, steps=steps_of(plan) if plan.charge_model in STEPPED else (),
    )  # fmt: skip
