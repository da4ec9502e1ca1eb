"""The invoiced part of the demo world: prices, fees, a second organisation, and its invoices in every state."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

from django.conf import settings

from accounts.models import BillingMode, MemberRole, Organisation, ProjectAccount, Tier, User
from accounts.services.approvals import WaitsForSecond
from accounts.services.members import add_member
from accounts.services.organisations import create_organisation, create_project
from billing.charging import Step
from billing.feeds import ecb
from billing.models import ChargeModel, Invoice, InvoiceStatus, Quantity
from billing.services.invoices.payments import record_payment_by_hand
from billing.services.invoices.runs import run_invoices
from billing.services.pricing.discounts import create_discount
from billing.services.pricing.exchange import import_rates
from billing.services.pricing.price_checks import NewPrice
from billing.services.pricing.usage_prices import create_price
from core.context import SYSTEM, Actor
from core.periods import today
from subscriptions.models import BillingCycle, Plan
from subscriptions.services.prices import set_plan_price
from subscriptions.services.subscriptions import request_subscription

INSTITUTE = "Institute of Environment"
FINANCE = Actor("finance")
SAMPLE_RATES = Path(__file__).parents[1] / "sample" / "eurofxref-daily.xml"
_FEES = (
    ("chat-basic", BillingCycle.MONTHLY, "150"),
    ("chat-basic", BillingCycle.YEARLY, "1500"),
    ("chat-research", BillingCycle.MONTHLY, "900"),
    ("chat-research", BillingCycle.YEARLY, "9000"),
    ("medical", BillingCycle.MONTHLY, "2400"),
)
_PAGES = (Step(Decimal(500), Decimal("0.40")), Step(Decimal(2000), Decimal("0.30")), Step(None, Decimal("0.20")))


def make_prices(since: date) -> None:
    """Fees of the plans, prices of what the demo's programs use, and the rates of one day."""
    for code, cycle, amount in _FEES:
        plan = Plan.objects.filter(code=code).first()
        if plan is not None and not plan.prices.filter(billing_cycle=cycle).exists():
            set_plan_price(
                actor=FINANCE, plan=plan, billing_cycle=cycle, amount=Decimal(amount),
                currency=settings.PAYMENT_CURRENCY, effective_from=since,
            )  # fmt: skip
    for price in _usage_prices(since):
        create_price(actor=FINANCE, price=price)
    import_rates(actor=SYSTEM, quotes=ecb.read(SAMPLE_RATES.read_bytes()).quotes, source="ecb")


def make_institute() -> None:
    """An organisation that is billed by invoices: its jobs, a plan, a discount."""
    institute = Organisation.objects.filter(name=INSTITUTE).first()
    if institute is not None:
        return
    institute = create_organisation(
        actor=FINANCE, name=INSTITUTE, billing_email="environment@example.ac.th", billing_mode=BillingMode.INVOICES,
        tier=Tier.objects.get(pk="gov"),
    )  # fmt: skip
    project = create_project(
        actor=FINANCE, organisation=institute, name="Air quality", description="Forecasts of fine dust"
    )
    ProjectAccount.objects.get_or_create(account="gov-lab", defaults={"project": project})
    for username, role in (("carol", MemberRole.OWNER), ("bob", MemberRole.BILLING_MANAGER)):
        if user := User.objects.filter(pk=username).first():
            add_member(actor=FINANCE, organisation=institute, user=user, role=role)
    if plan := Plan.objects.filter(code="chat-research").first():
        request_subscription(actor=Actor("carol"), plan=plan, organisation=institute)


def make_invoices(months: Sequence[date]) -> dict[str, int]:
    """Invoices of the months that are over, oldest first: old ones paid, the last but one in part, the last one open;
    and a draft of the month that runs. Returns how many there are by state."""
    if months:
        institute = Organisation.objects.get(name=INSTITUTE)
        create_discount(
            actor=FINANCE, organisation=institute, name="First year", percent=Decimal(5), effective_from=months[0]
        )
    for age, month in zip(range(len(months), 0, -1), months, strict=True):
        run_invoices(actor=FINANCE, month=month, finalize=True)
        for invoice in Invoice.objects.filter(year=month.year, month=month.month, status=InvoiceStatus.FINALIZED):
            _pay(invoice, age)
    run_invoices(actor=FINANCE, month=today())
    return {state: Invoice.objects.filter(status=state).count() for state in InvoiceStatus.values}


def _pay(invoice: Invoice, age: int) -> None:
    if age == 1:
        return
    part = age == 2  # noqa: PLR2004 - the last month but one
    amount = invoice.amount_due.quantize(Decimal(1)) // 2 if part else invoice.amount_due
    if amount > 0:
        with suppress(WaitsForSecond):
            record_payment_by_hand(
                actor=FINANCE, invoice=invoice, amount=amount, reference=f"bank transfer {invoice.pk:06d}"
            )


def _usage_prices(since: date) -> list[NewPrice]:
    currency = settings.PAYMENT_CURRENCY
    tokens = {Quantity.REQUEST_TOKENS: "0.02", Quantity.RESPONSE_TOKENS: "0.06", Quantity.CACHED_TOKENS: "0.005"}
    found = [
        NewPrice(
            metric_name="ocr.page", currency=currency, effective_from=since, unit="page",
            charge_model=ChargeModel.GRADUATED, steps=_PAGES, minimum_charge=Decimal(50),
            description="Pages read", description_th="หน้าที่อ่าน",
        )
    ]  # fmt: skip
    return found + [
        NewPrice(
            metric_name="ai.request", currency=currency, effective_from=since, quantity=kind,
            charge_model=ChargeModel.PACKAGE, price_per_unit=Decimal(price), package_size=Decimal(1000),
            description="Model calls, per 1,000 tokens", description_th="การเรียกโมเดล ต่อ 1,000 โทเคน",
        )
        for kind, price in tokens.items()
    ]  # fmt: skip
