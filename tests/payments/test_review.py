"""Money that fitted nothing: finance decides, with a note, once; nobody else can."""

from __future__ import annotations

from typing import Any

import pytest

from audit.models import AuditLog
from billing.models import Receipt
from billing.services.receipts import mark_paid
from core.context import Actor
from core.errors import BadInput, Conflict
from hpcbilling import books
from payments.models import Payment
from payments.services.checkout import start_payment
from payments.services.review import NotInReview, accept_payment, close_payment
from tests.payments.conftest import call
from tests.races import at_once

pytestmark = pytest.mark.django_db
FIN = Actor("fin")


@pytest.fixture
def odd(payment: Payment) -> Payment:
    """A payment whose webhook named another currency."""
    call(payment, currency="USD")
    payment.refresh_from_db()
    return payment


def state(payment: Payment) -> tuple[str, str]:
    payment.refresh_from_db()
    return payment.status, Receipt.objects.get(pk=payment.receipt_id).status


def test_accepting_pays_the_receipt_and_is_audited_with_who_and_why(odd: Payment) -> None:
    accept_payment(actor=FIN, payment=odd, note="the provider shows 8.00")
    assert state(odd) == ("succeeded", "paid")
    entry = AuditLog.objects.get(action="payment_succeeded")
    assert (entry.actor, entry.extra["note"]) == ("fin", "the provider shows 8.00")
    reference = odd.external_charge_id or odd.external_payment_id
    assert (entry.extra["amount"], entry.extra["reference"]) == (f"{odd.amount:f}", reference)
    assert books.audit_payments() == []
    Payment.objects.filter(pk=odd.pk).update(external_payment_id="another", external_charge_id="another")
    assert books.audit_payments() == [f"payment {odd.pk} is not what entry #{entry.pk} says"]


def test_money_that_is_short_by_the_record_pays_nothing_whatever_finance_says(payment: Payment) -> None:
    call(payment, amount=799)
    with pytest.raises(Conflict, match=r"Only THB.7\.99 of THB.8\.00"):
        accept_payment(actor=FIN, payment=payment, note="it will do")
    assert state(payment) == ("needs_review", "pending")
    assert payment.captured_cents == 799


def test_closing_lets_the_payer_try_again(odd: Payment) -> None:
    close_payment(actor=FIN, payment=odd, note="never arrived")
    assert state(odd) == ("canceled", "pending")
    again = start_payment(actor=Actor("alice"), receipt=odd.receipt)
    call(again)
    assert state(again) == ("succeeded", "paid")


def test_the_providers_repeat_does_not_reopen_what_finance_closed(payment: Payment) -> None:
    call(payment, amount=1, event_id="evt_odd")
    close_payment(actor=FIN, payment=payment, note="never arrived")
    assert call(payment, amount=1, event_id="evt_odd").json() == {"status": "duplicate"}
    assert state(payment) == ("canceled", "pending")


def test_a_receipt_paid_by_other_means_is_not_paid_twice(odd: Payment) -> None:
    mark_paid(actor=FIN, receipt=odd.receipt, method="manual", tx_ref="slip")
    with pytest.raises(Conflict):
        accept_payment(actor=FIN, payment=odd, note="x")
    assert state(odd) == ("needs_review", "paid")
    close_payment(actor=FIN, payment=odd, note="given back")
    assert state(odd) == ("canceled", "paid")


@pytest.mark.parametrize("decide", [accept_payment, close_payment])
def test_a_decision_needs_a_note_and_a_payment_in_review(odd: Payment, decide: Any) -> None:
    with pytest.raises(BadInput):
        decide(actor=FIN, payment=odd, note=" ")
    decide(actor=FIN, payment=odd, note="done")
    with pytest.raises(NotInReview):
        decide(actor=FIN, payment=odd, note="again")


@pytest.mark.django_db(transaction=True)
def test_of_many_decisions_at_once_one_counts(odd: Payment) -> None:
    def decide(index: int) -> bool:
        try:
            (accept_payment if index % 2 else close_payment)(actor=FIN, payment=odd, note="n")
        except NotInReview:
            return False
        return True

    assert sorted(at_once(8, decide)) == [False] * 7 + [True]
    assert state(odd) in (("succeeded", "paid"), ("canceled", "pending"))


@pytest.mark.parametrize(("action", "status"), [("accept_action", "succeeded"), ("close_action", "canceled")])
def test_finance_decides_in_the_console_after_seeing_what_it_is_about(
    client: Any, finance: Any, odd: Payment, action: str, status: str
) -> None:
    client.force_login(finance)
    form = {"action": action, "_selected_action": [odd.pk]}
    page = client.post("/admin/payments/payment/", form).content.decode()
    assert "currency: expected THB, got USD" in page
    assert state(odd)[0] == "needs_review"
    client.post("/admin/payments/payment/", {**form, "confirm": "1", "text": "checked"})
    assert state(odd)[0] == status


def test_an_auditor_cannot_decide(client: Any, auditor: Any, odd: Payment) -> None:
    client.force_login(auditor)
    form = {"action": "accept_action", "_selected_action": [odd.pk], "confirm": "1", "text": "x"}
    client.post("/admin/payments/payment/", form)
    assert state(odd) == ("needs_review", "pending")
