"""Makers for tests of invoices: organisations that are billed by them, their usage, prices and fees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from accounts.models import BillingMode, Organisation, Project, ProjectAccount
from billing.invoicing.sums import Item, Off, Totals, sum_up, take_off
from billing.models import ChargeKind, Discount, ExchangeRate, Invoice, PricingPlan, SubscriptionCharge
from billing.services.invoices.drafts import draft_invoice
from billing.services.invoices.issue import finalize_invoice
from core.context import Actor
from subscriptions.models import Plan, PlanPrice, Subscription
from tests.usage.events import row
from usage.events.rows import Batch
from usage.events.store import open_store

FIN = Actor("fin")
MONTH = date(2026, 10, 1)
NOON = datetime(2026, 10, 15, 5, 0, tzinfo=UTC)  # noon in Bangkok


def make_customer(name: str = "Institute", account: str = "inst", project: str = "imaging", **fields: Any) -> Project:
    """A project with a Slurm account, of an organisation that gets invoices."""
    owner, _made = Organisation.objects.get_or_create(
        name=name, defaults={"billing_mode": BillingMode.INVOICES, **fields}
    )
    found, _made = Project.objects.get_or_create(organisation=owner, name=project)
    if account:
        ProjectAccount.objects.get_or_create(project=found, account=account)
    return found


def use(project: Project, number: int = 1, **fields: Any) -> None:
    """Events of the project, each worth 1 of ``api.call`` at noon of 15 October unless told."""
    rows = [row(project, **{"timestamp": NOON, **fields}) for _ in range(number)]
    assert set(open_store().add(Batch(rows, []))) == {"accepted"}


def price(metric: str = "api.call", per_unit: str | None = "0.5", **fields: Any) -> PricingPlan:
    steps = fields.pop("steps", ())
    plan = PricingPlan.objects.create(**{
        "metric_name": metric, "price_per_unit": Decimal(per_unit) if per_unit is not None else None,
        "currency": "THB", "effective_from": date(2026, 1, 1), "set_by": "fin", **fields,
    })  # fmt: skip
    for up_to, each in steps:
        plan.steps.create(up_to=up_to, price_per_unit=Decimal(each))
    return plan


def fee(project: Project, amount: str = "100", **fields: Any) -> SubscriptionCharge:
    plan, _made = Plan.objects.get_or_create(code="pro", defaults={"name": "Pro", "name_th": "โปร"})
    currency = fields.get("currency", "THB")
    listed, _made = PlanPrice.objects.get_or_create(
        plan=plan, billing_cycle="monthly", currency=currency, effective_from=date(2026, 1, 1),
        defaults={"amount": Decimal(100), "set_by": "fin"},
    )  # fmt: skip
    subscription, _made = Subscription.objects.get_or_create(
        organisation=project.organisation, plan=plan, defaults={"currency": currency, "status": "active"}
    )
    return SubscriptionCharge.objects.create(**{
        "subscription": subscription, "kind": ChargeKind.FEE, "price": listed, "amount": Decimal(amount),
        "currency": currency, "period_start": datetime(2026, 9, 30, 17, tzinfo=UTC),
        "period_end": datetime(2026, 10, 31, 17, tzinfo=UTC), "due_at": datetime(2026, 9, 30, 17, tzinfo=UTC), **fields,
    })  # fmt: skip


def off(project: Project, **fields: Any) -> Discount:
    return Discount.objects.create(
        organisation=project.organisation, name="agreed", effective_from=date(2026, 1, 1), set_by="fin", **fields
    )


def exchange(base: str, target: str, rate: str) -> ExchangeRate:
    return ExchangeRate.objects.create(
        base_currency=base, target_currency=target, rate=Decimal(rate), source="manual", set_by="fin",
        effective_from=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def draft(project: Project, month: date = MONTH) -> Invoice:
    found = draft_invoice(actor=FIN, organisation=project.organisation, month=month)
    assert found is not None
    return found


def finalized(project: Project, month: date = MONTH) -> Invoice:
    invoice = draft(project, month)
    assert finalize_invoice(actor=FIN, invoice=invoice)
    return invoice


def settle(items: Sequence[Item], offs: Iterable[Off], *, inclusive: bool, decimals: int) -> Totals:
    """Fill in each item's share of the discount and give the sums of the document."""
    take_off(items, offs, decimals)
    return sum_up(items, inclusive=inclusive, decimals=decimals)
