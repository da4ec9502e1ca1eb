"""A credit note over all of an invoice brings everything back to where it stood before there was the invoice.

Ledger, tax, usage, fees, kept credits and the organisation's balance, whichever way the invoice was settled; money that
came in for it is in the organisation's favour. If this broke, a mistake that is taken back would cost somebody money.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from accounts.models import Project, Tier
from billing.models import Invoice, SubscriptionCharge
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.issue import balance
from billing.services.invoices.write_offs import write_off_invoice
from billing.services.pricing.rates import NewRates, set_rates
from billing.services.subscriptions.plan_changes import cancel
from core.context import SYSTEM
from tests.billing.invoicing import FIN, make_customer, price, use
from tests.billing.subscribers import on, plan, subscribe
from tests.billing.subscribers import price as plan_price
from tests.billing.test_journal import balances, pay, post
from tests.billing.test_kept_credits import all_proofs, bill, kept
from tests.factories import make_job
from usage.models import Job

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
BEFORE, ISSUED, AFTER = "2026-11-01T07:00", "2026-11-01T08:00", "2026-11-03T08:00"


class Stands(NamedTuple):
    """``ledger``: debit less credit, what was returned taken from its revenue, nothing where nothing is left."""

    ledger: dict[str, Decimal]
    balance: Decimal
    kept: list[Decimal]
    free_jobs: int
    free_fees: list[Decimal]


def stands(project: Project) -> Stands:
    post()
    ledger: dict[str, Decimal] = {}
    for role, amount in balances().items():
        own = role.replace("returns.", "revenue.")
        ledger[own] = ledger.get(own, Decimal(0)) + amount
    free = SubscriptionCharge.objects.filter(claimed_by="").order_by("amount", "pk")
    return Stands(
        {role: amount for role, amount in sorted(ledger.items()) if amount},
        balance(project.organisation, "THB"),
        kept(),
        Job.objects.filter(claimed_by="").count(),
        [row.amount for row in free],
    )


@pytest.fixture
def project(db: None, settings: Any, inclusive: bool) -> Project:
    """October has 20 calls at 100, a job, and the credit of a yearly plan that ended. 500 of September's payment were
    too much. Taxed."""
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_INCLUSIVE = True, inclusive
    with on("2026-09-01"):
        set_rates(
            actor=SYSTEM, tier=Tier.objects.get(code="private"), rates=NewRates(Decimal(3), Decimal(7), Decimal(1))
        )
    found = make_customer()
    row = plan("year", None)
    plan_price(row, "365", cycle="yearly")
    subscription = subscribe(row, "2026-09-01", organisation=found.organisation, billing_cycle="yearly")
    september = bill(found, "2026-10-01T08:00", SEPTEMBER)
    assert september is not None
    with on("2026-10-02T08:00"):
        pay(september, str(september.total + 500), "too much")
    with on("2026-10-05"):
        cancel(actor=FIN, subscription=subscription)
    price("api.call", "100")
    use(found, 20)
    make_job(account="inst", end_at=datetime(2026, 10, 20, 5, tzinfo=UTC))
    return found


def settle(invoice: Invoice, how: str) -> Decimal:
    """The money that came in for it."""
    due = invoice.amount_due
    assert due > 1000, "the balance was too small for all of it"
    with on("2026-11-02T08:00"):
        if how == "written off in part":
            pay(invoice, "100", "part")
            write_off_invoice(actor=FIN, invoice=invoice, reason="bankrupt")
            return Decimal(100)
        money = {"nothing": Decimal(0), "a part": due / 4, "all": due, "too much": due + 77}[how].quantize(
            Decimal("0.01")
        )
        if money:
            pay(invoice, str(money), "slip")
        return money


@pytest.mark.parametrize("inclusive", [False, True], ids=["tax beside", "tax inside"])
@pytest.mark.parametrize("how", ["nothing", "a part", "all", "too much", "written off in part"])
@pytest.mark.parametrize("steps", [[], [Decimal("13.33"), Decimal("0.01")]], ids=["at once", "in steps"])
def test_all_is_as_before_but_for_the_money_that_came_in(project: Project, how: str, steps: list[Decimal]) -> None:
    with on(BEFORE):
        before = stands(project)
    assert (before.balance, before.free_jobs, len(before.free_fees)) == (500, 1, 1)
    invoice = bill(project, ISSUED, OCTOBER)
    assert invoice is not None
    assert invoice.lines.filter(total__lt=0).exists(), "a credit counts on it"
    assert invoice.amount_paid == 500, "the balance pays what it can"
    money = settle(invoice, how)
    with on(AFTER):
        for part in steps:
            write_credit_note(actor=FIN, invoice=invoice, reason="a part", lines={1: part})
        write_credit_note(actor=FIN, invoice=invoice, reason="wrong", cancel=True)
        after = stands(project)
        assert all_proofs() == []
    expected = dict(before.ledger)
    if money:
        expected["cash.manual"] = expected.get("cash.manual", Decimal(0)) + money
        expected["credit_balance"] = expected.get("credit_balance", Decimal(0)) - money
    assert after == Stands(expected, before.balance + money, before.kept, before.free_jobs, before.free_fees)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_due, invoice.amount_paid) == ("canceled", 0, 0)


@pytest.mark.parametrize("inclusive", [False])
def test_billed_anew_it_is_the_same_and_the_money_pays_it(project: Project) -> None:
    first = bill(project, ISSUED, OCTOBER)
    assert first is not None
    settle(first, "all")
    with on(AFTER):
        write_credit_note(actor=FIN, invoice=first, reason="wrong buyer", cancel=True)
    again = bill(project, "2026-11-03T09:00", OCTOBER)
    assert again is not None
    assert (again.pk != first.pk, again.total, again.amount_due, again.status) == (True, first.total, 0, "paid")
    with on("2026-11-03T10:00"):
        found = stands(project)
        assert (found.balance, found.free_jobs, found.free_fees) == (0, 0, [])
        assert "receivable" not in found.ledger
        assert "credit_balance" not in found.ledger
        assert all_proofs() == []
