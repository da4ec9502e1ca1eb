"""Half a year of whatever may happen, in an order that dice choose: the books hold after every month, and when all
invoices are taken back, the last one first, nothing is left in ledger, tax and kept credits but the money that came in."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from accounts.models import Project
from billing.models import Discount, Invoice, InvoicePayment
from billing.services.invoices.credit_notes import NotCreditable, write_credit_note
from billing.services.invoices.issue import balance
from billing.services.invoices.payments import record_payment
from billing.services.subscriptions.plan_changes import cancel, change_plan, keep
from core.errors import BadInput, Conflict
from core.periods import next_month
from subscriptions.models import LIVE, BillingCycle, Plan, Subscription
from tests.billing.invoicing import FIN, make_customer, price, use
from tests.billing.subscribers import ALICE, on, plan, renew, subscribe
from tests.billing.subscribers import price as plan_price
from tests.billing.test_journal import balances, post
from tests.billing.test_kept_credits import all_proofs, bill, kept

pytestmark = pytest.mark.django_db
D = Decimal
FIRST = date(2026, 1, 1)
ACTS = ("subscribe", "change", "change", "change_later", "cycle", "cancel", "cancel_later", "keep")
UNITS = {"THB": D("0.01"), "JPY": D(1), "KWD": D("0.001")}


@dataclass
class Life:
    dice: Random
    currency: str
    project: Project
    plans: list[Plan] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)

    def money(self, least: int, most: int) -> Decimal:
        return self.dice.randrange(least, most) * 7 * UNITS[self.currency]

    def act(self, what: str, when: str) -> None:
        """What cannot be at that moment is refused, and nothing happens."""
        cycle, to = self.dice.choice(BillingCycle.values), self.dice.choice(self.plans)
        if what == "subscribe":
            with suppress(Conflict):
                subscribe(to, when, organisation=self.project.organisation, billing_cycle=cycle)
            return
        held = self.dice.choice([*Subscription.objects.filter(status__in=LIVE).order_by("pk"), None])
        if held is None:
            return
        with on(when), suppress(Conflict, BadInput):
            if what == "keep":
                keep(actor=FIN, subscription=held)
            elif what in ("cancel", "cancel_later"):
                cancel(actor=FIN, subscription=held, at_period_end=what == "cancel_later")
            else:
                change_plan(
                    actor=ALICE, subscription=held, plan=to, cycle=cycle if what == "cycle" else "",
                    at_period_end=what == "change_later",
                )  # fmt: skip

    def discount(self, month: date) -> None:
        wanted: dict[str, Any] = self.dice.choice([
            {}, {}, {"percent": D(10)}, {"percent": D("33.33")}, {"percent": D(100)}, {"amount": self.money(1, 500)},
        ])  # fmt: skip
        if wanted:
            Discount.objects.create(
                organisation=self.project.organisation, name="agreed", set_by="fin", effective_from=month,
                effective_to=month.replace(day=28), **wanted,
            )  # fmt: skip

    def month(self, month: date) -> None:
        self.discount(month)
        for day in sorted(self.dice.sample(range(2, 29), self.dice.randrange(4))):
            when = f"{month:%Y-%m}-{day:02d}T{self.dice.randrange(24):02d}:{self.dice.randrange(60):02d}:59"
            renew(when)
            self.act(self.dice.choice(ACTS), when)
        end = next_month(month)
        renew(f"{end}T00:00:00")
        if self.dice.random() < 0.7:
            with on(f"{end}T01:00"):
                quantity = D(self.dice.randrange(1, 90000)).scaleb(-self.dice.randrange(3))
                use(self.project, metric_value=quantity, timestamp=datetime(month.year, month.month, 20, tzinfo=UTC))
        invoice = bill(self.project, f"{end}T08:00", month)
        with on(f"{end}T09:00"):
            if invoice is not None:
                self.invoices.append(invoice)
                self.settle(invoice)
            post()
            assert all_proofs() == []

    def settle(self, invoice: Invoice) -> None:
        unit = UNITS[self.currency]
        assert min(invoice.total, invoice.tax, *(tax.base for tax in invoice.taxes.all()), D(0)) == 0
        if invoice.amount_due and self.dice.random() < 0.6:
            part = self.dice.choice([D(1), D("0.37")])
            paid = max((invoice.amount_due * part).quantize(unit), unit)
            record_payment(
                actor=FIN, invoice=invoice, amount=paid, currency=self.currency, method="manual", reference="slip"
            )
        if self.dice.random() < 0.4:
            target = Invoice.objects.get(pk=self.dice.choice(self.invoices).pk)
            line = self.dice.choice(list(target.lines.order_by("line_number")))
            part = (line.net * D(self.dice.choice(["0.1", "0.5", "1"]))).quantize(unit)
            with suppress(BadInput, Conflict):
                write_credit_note(actor=FIN, invoice=target, reason="a part", lines={line.line_number: part})


@pytest.fixture
def life(seed: int, settings: Any) -> Life:
    dice = Random(seed)
    currency = dice.choice(list(UNITS))
    settings.BILLING_TAX_ENABLED, settings.BILLING_TAX_INCLUSIVE = seed % 3 > 0, seed % 3 > 1
    settings.BILLING_PRORATION = dice.choice(["day", "second"])
    found = Life(dice, currency, make_customer(account="", currency=currency))
    price(per_unit="0.37", currency=currency, minimum_charge=found.money(0, 300), effective_from=date(2020, 1, 1))
    for number in range(3):
        found.plans.append(plan(f"p{number}", None))
        for cycle in BillingCycle.values:
            plan_price(found.plans[-1], str(found.money(100, 90000)), cycle=cycle, currency=currency)
    found.act("subscribe", f"2026-01-{dice.choice([1, 15, 29, 30, 31]):02d}T12:13:07")
    return found


@pytest.mark.parametrize("seed", range(3))
def test_all_taken_back_leaves_nothing_but_the_money(life: Life) -> None:
    month = FIRST
    for _number in range(6):
        life.month(month)
        month = next_month(month)
    organisation = life.project.organisation
    with on(f"{month}T11:00"):
        for invoice in reversed(life.invoices):
            with suppress(NotCreditable):  # one that came to nothing, or was taken back before
                write_credit_note(actor=FIN, invoice=invoice, reason="all of it")
        post()
        assert all_proofs() == []
        left = balances(life.currency)
        paid = sum((each.amount for each in InvoicePayment.objects.all()), D(0))
        for role in [each for each in left if each.startswith("revenue.")]:
            assert left.pop(role) + left.pop(role.replace("revenue.", "returns."), D(0)) == 0
        assert {role: amount for role, amount in left.items() if amount} == (
            {"cash.manual": paid, "credit_balance": -paid} if paid else {}
        )
        assert (balance(organisation, life.currency), sum(kept(), D(0))) == (paid, 0)
        assert all(each.amount_credited == each.total for each in Invoice.objects.all())
