"""Who owes a document decides about no money for it, alone or as the second of two."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import Approval, Member, MemberRole
from accounts.services.approvals import WaitsForSecond, approve
from billing.debtors import OwnDebt
from billing.models import CreditNote, Discount, Invoice, InvoicePayment, Receipt, ReceiptStatus
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment_by_hand, reverse_payment
from billing.services.invoices.write_offs import write_off_invoice
from billing.services.pricing.discounts import create_discount, end_discount
from billing.services.pricing.taxes import create_tax_rule
from billing.services.receipts import create_receipts, mark_paid_by_hand
from core.context import Actor
from tests.billing.invoicing import fee, finalized, make_customer
from tests.factories import account_tier, make_job

pytestmark = pytest.mark.django_db
FIN = Actor("fin")
TEN = Decimal(10)


def _pay(invoice: Invoice, actor: Actor) -> None:
    record_payment_by_hand(actor=actor, invoice=invoice, amount=TEN, reference="slip 1")


def _reverse(invoice: Invoice, actor: Actor) -> None:
    record_payment_by_hand(actor=Actor("other"), invoice=invoice, amount=TEN, reference="slip 1")
    reverse_payment(actor=actor, payment=InvoicePayment.objects.get(), reason="another customer's")


def _write_off(invoice: Invoice, actor: Actor) -> None:
    write_off_invoice(actor=actor, invoice=invoice, reason="lost")


def _credit(invoice: Invoice, actor: Actor) -> None:
    write_credit_note(actor=actor, invoice=invoice, reason="outage")


@pytest.fixture
def invoice(finance: Any) -> Invoice:
    project = make_customer()
    fee(project, "100")
    return finalized(project)


def belongs(invoice: Invoice, user: Any, role: str) -> None:
    Member.objects.create(organisation=invoice.organisation, user=user, role=role)


@pytest.mark.parametrize("role", [MemberRole.OWNER, MemberRole.BILLING_MANAGER])
@pytest.mark.parametrize("act", [_pay, _reverse, _write_off, _credit])
def test_those_who_answer_for_an_invoice_do_not_decide_about_it(
    invoice: Invoice, finance: Any, act: Callable[[Invoice, Actor], None], role: str
) -> None:
    belongs(invoice, finance, role)
    with pytest.raises(OwnDebt, match="Somebody else must decide"):
        act(invoice, FIN)
    invoice.refresh_from_db()
    taken = (invoice.amount_written_off, invoice.amount_credited, CreditNote.objects.count())
    assert taken == (0, 0, 0)
    assert invoice.amount_paid == (TEN if act is _reverse else 0)


@pytest.mark.parametrize("act", [_pay, _reverse, _write_off, _credit])
def test_who_only_uses_what_another_pays_for_decides(
    invoice: Invoice, finance: Any, act: Callable[[Invoice, Actor], None]
) -> None:
    belongs(invoice, finance, MemberRole.MEMBER)
    act(invoice, FIN)


def test_the_second_signature_is_nobodys_who_owes_it(
    invoice: Invoice, finance: Any, make_user: Any, settings: Any
) -> None:
    settings.FOUR_EYES_ABOVE = Decimal(5)
    belongs(invoice, make_user("fin2", role="admin", groups=["Finance"]), MemberRole.OWNER)
    make_user("fin3", role="admin", groups=["Finance"])
    with pytest.raises(WaitsForSecond):
        _pay(invoice, FIN)
    with pytest.raises(OwnDebt):
        approve(actor=Actor("fin2"), approval=Approval.objects.get())
    assert (Approval.objects.get().status, InvoicePayment.objects.count()) == ("open", 0)
    approve(actor=Actor("fin3"), approval=Approval.objects.get())
    assert InvoicePayment.objects.get().amount == TEN


def receipt_of(name: str) -> Receipt:
    account_tier("physics", "mu")
    make_job(username=name)
    return create_receipts(actor=Actor(name), username=name, start=None, end=None)[0]


def test_nobody_marks_the_own_receipt_as_paid(finance: Any, alice: Any) -> None:
    own, anothers = receipt_of("fin"), receipt_of("alice")
    with pytest.raises(OwnDebt):
        mark_paid_by_hand(actor=FIN, receipt=own, tx_ref="slip 1")
    assert mark_paid_by_hand(actor=FIN, receipt=anothers, tx_ref="slip 2")
    assert Receipt.objects.get(pk=own.pk).status == ReceiptStatus.PENDING


def test_nor_do_they_set_what_it_alone_is_charged(invoice: Invoice, finance: Any) -> None:
    belongs(invoice, finance, MemberRole.BILLING_MANAGER)
    day = date(2026, 1, 1)
    place = invoice.organisation
    acts: list[Callable[[Actor], object]] = [
        lambda actor: create_discount(
            actor=actor, organisation=place, name="mine", percent=Decimal(100), effective_from=day
        ),
        lambda actor: create_tax_rule(actor=actor, tax="vat", organisation=place, effective_from=day),
    ]
    for act in acts:
        with pytest.raises(OwnDebt):
            act(FIN)
    acts[0](Actor("other"))
    with pytest.raises(OwnDebt):
        end_discount(actor=FIN, discount=Discount.objects.get(), last_day=date(2026, 12, 31))


def test_the_console_and_the_api_say_so(invoice: Invoice, finance: Any) -> None:
    own = receipt_of("fin")
    belongs(invoice, finance, MemberRole.OWNER)
    browser = Client()
    browser.force_login(finance)
    order = {"action": "mark_paid_action", "_selected_action": [own.pk], "confirm": "1", "text": "slip 1"}
    assert "Somebody else must decide" in browser.post("/admin/billing/receipt/", order, follow=True).text
    at = f"/api/v1/invoices/{invoice.uuid}/received"
    answer = browser.post(at, {"amount": "10", "reference": "x"}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (409, "own_debt")
