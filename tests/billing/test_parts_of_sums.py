"""Four eyes: a sum that one person splits needs a second one as it does in one piece."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Approval, LoneAct, Project
from accounts.services.approvals import WaitsForSecond, approve, count_alone
from billing.models import Invoice, InvoicePayment
from billing.services.invoices.payments import record_payment_by_hand, reverse_payment
from billing.services.invoices.write_offs import write_off_invoice
from billing.services.lone_acts import lone_act
from core.context import Actor
from core.errors import Conflict
from tests.billing.invoicing import FIN, finalized, make_customer, price, use

pytestmark = pytest.mark.django_db
SECOND = Actor("fin2")
D = Decimal


@pytest.fixture(autouse=True)
def _people(settings: Any, make_user: Any) -> None:
    settings.FOUR_EYES_ABOVE = D(100)
    for name in ("fin", "fin2"):
        make_user(name, role="admin", groups=["Finance"])


@pytest.fixture
def project() -> Project:
    return make_customer()


def bill(project: Project, amount: int, metric: str = "api.call") -> Invoice:
    price(metric, "1")
    use(project, amount, metric_name=metric)
    return finalized(project)


def pay(invoice: Invoice, amount: int, reference: str, actor: Actor = FIN) -> bool:
    invoice.refresh_from_db()
    return record_payment_by_hand(actor=actor, invoice=invoice, amount=D(amount), reference=reference)


def test_parts_of_one_invoice_count_together_on_whatever_day(project: Project) -> None:
    invoice = bill(project, 180)
    assert pay(invoice, 60, "a")
    with time_machine.travel("2027-01-15T05:00:00Z", tick=True), pytest.raises(WaitsForSecond, match="together with"):
        pay(invoice, 60, "b")
    assert pay(invoice, 40, "c"), "100 in all is not above it"
    assert pay(invoice, 60, "d", SECOND), "somebody else has parts of their own"
    assert InvoicePayment.objects.count() == 3


def test_one_customers_invoices_count_together_on_one_day(project: Project) -> None:
    first, other = bill(project, 90), bill(make_customer("Other", "other"), 80, "other.call")
    assert pay(first, 80, "a")
    assert pay(other, 80, "a"), "of another customer"
    use(project, 150, timestamp=datetime(2026, 11, 5, tzinfo=UTC))
    with time_machine.travel(timezone.now() + timedelta(days=3), tick=True):
        november = finalized(project, date(2026, 11, 1))
        assert pay(november, 50, "b"), "on another day, of another document"
        with pytest.raises(WaitsForSecond):
            pay(first, 10, "c")


def test_other_acts_count_and_what_a_second_person_signed_does_not(project: Project) -> None:
    invoice = bill(project, 300)
    with pytest.raises(WaitsForSecond):
        pay(invoice, 150, "large")
    approve(actor=SECOND, approval=Approval.objects.get())
    assert not LoneAct.objects.exists()
    assert pay(invoice, 60, "small")
    with pytest.raises(WaitsForSecond):
        reverse_payment(actor=FIN, payment=InvoicePayment.objects.get(reference="small"), reason="slip")
    invoice.refresh_from_db()
    with pytest.raises(WaitsForSecond):
        write_off_invoice(actor=FIN, invoice=invoice, reason="gone")
    assert [(each.act, each.amount, each.document) for each in LoneAct.objects.all()] == [
        ("pay_invoice", D(60), f"invoice:{invoice.pk}")
    ]


def test_two_acts_at_the_same_moment_do_not_both_pass(project: Project) -> None:
    invoice = bill(project, 180)
    one = lone_act(FIN, "pay_invoice", invoice, D(60))
    count_alone(one)
    with pytest.raises(Conflict, match="try again"):
        count_alone(one)


def test_a_repeat_counts_once_and_without_a_limit_nothing_is_kept(project: Project, settings: Any) -> None:
    invoice = bill(project, 180)
    assert pay(invoice, 40, "a")
    assert not pay(invoice, 40, "a")
    assert LoneAct.objects.count() == 1
    settings.FOUR_EYES_ABOVE = None
    assert pay(invoice, 140, "b")
    assert LoneAct.objects.count() == 1
