"""Which prices invoices rest on. Drafts are worked out anew and canceled invoices are taken back, so neither counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.models import Discount, Invoice, InvoiceLine, InvoiceStatus, PricingPlan
from core.periods import next_month

_FREE = (InvoiceStatus.DRAFT, InvoiceStatus.CANCELED)


@dataclass(frozen=True, slots=True)
class Use:
    """The newest invoice that something is on: its first day, and what to call it."""

    month: date
    number: str


def last_use(plan: PricingPlan) -> Use | None:
    """The newest month that is invoiced by this price."""
    return _newest(_finalized().filter(Exists(_lines().filter(pricing_plan=plan))))


def last_use_of_discount(discount: Discount) -> Use | None:
    return _newest(_finalized().filter(discounts=discount))


def displaced_use(plan: PricingPlan, day: date) -> Use | None:
    """The newest invoice of a month that begins on ``day`` or later whose usage this new price would have priced."""
    first = day if day.day == 1 else next_month(day)
    invoices = _finalized().filter(Q(year__gt=first.year) | Q(year=first.year, month__gte=first.month))
    if plan.organisation_id is not None:
        invoices = invoices.filter(organisation=plan.organisation_id)
    alike = {"pricing_plan__metric_name": plan.metric_name, "pricing_plan__quantity": plan.quantity}
    return _newest(invoices.filter(Exists(_lines().filter(_displaced_by(plan), **alike))))


def _displaced_by(plan: PricingPlan) -> Q:
    """Prices that come after this one: of the same owner those as wide or wider, and beneath an own price all of the
    general ones that could price the same usage."""
    wider = Q(pricing_plan__model_id__in={"", plan.model_id}, pricing_plan__unit__in={"", plan.unit})
    general = Q(pricing_plan__organisation__isnull=True)
    if plan.organisation_id is None:
        return general & wider
    if plan.model_id:
        general &= Q(pricing_plan__model_id__in={"", plan.model_id})
    if plan.unit:
        general &= Q(pricing_plan__unit__in={"", plan.unit})
    return general | Q(pricing_plan__organisation=plan.organisation_id) & wider


def _finalized() -> QuerySet[Invoice]:
    return Invoice.objects.exclude(status__in=_FREE)


def _lines() -> QuerySet[InvoiceLine]:
    return InvoiceLine.objects.filter(invoice=OuterRef("pk"))


def _newest(invoices: QuerySet[Invoice]) -> Use | None:
    row = invoices.order_by("-year", "-month", "-pk").values_list("year", "month", "invoice_number").first()
    return Use(date(row[0], row[1], 1), row[2] or "") if row else None
