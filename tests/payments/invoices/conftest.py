"""An invoice of 100.00 THB of an organisation, and people who look after its bills or do not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Member
from billing.models import Invoice
from core.context import Actor
from payments.models import Payment
from payments.services.checkout import start_payment
from tests.billing.invoicing import fee, finalized, make_customer
from tests.payments.rigs import RIGS, Rig

PAYER = Actor("payer")


@pytest.fixture
def invoice(make_user: Any, finance: Any) -> Invoice:
    project = make_customer(billing_email="bills@institute.example")
    Member.objects.create(organisation=project.organisation, user=make_user("payer"), role="billing_manager")
    Member.objects.create(organisation=project.organisation, user=make_user("reader"), role="viewer")
    fee(project, "100")
    return finalized(project)


@pytest.fixture
def rig(request: Any, fakes: Any) -> Rig:
    return RIGS[request.param](fakes)


def begin(rig: Rig, invoice: Invoice, amount: str | None = None) -> Payment:
    wanted = Decimal(amount) if amount else None
    return start_payment(
        actor=PAYER, invoice=invoice, amount=wanted, provider_name=rig.name, method_name=rig.method
    )  # fmt: skip


def paid(rig: Rig, invoice: Invoice, amount: str | None = None) -> Payment:
    payment = begin(rig, invoice, amount)
    rig.pay(payment)
    assert set(rig.deliver()) == {200}
    payment.refresh_from_db()
    return payment


def standing(invoice: Invoice) -> tuple[str, Decimal, Decimal]:
    """Status, paid, due."""
    invoice.refresh_from_db()
    return invoice.status, invoice.amount_paid, invoice.amount_due
