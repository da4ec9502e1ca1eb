"""What customers' programs are told: once for each thing that happens, with it, and only to those who asked."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from accounts.models import WebhookDelivery, WebhookEndpoint
from accounts.services import webhooks
from accounts.webhook_kinds import known
from billing.models import Invoice
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment_by_hand
from billing.services.invoices.reminders import send_reminders
from core.context import SYSTEM, Actor
from core.errors import BadInput
from payments.services.checkout import start_payment
from payments.services.refunds import refund_payment
from subscriptions.models import Subscription
from subscriptions.services.subscriptions import resume_subscription, suspend_subscription
from tests.billing.invoicing import FIN, fee, finalized, make_customer
from tests.payments.conftest import call
from tests.payments.invoices.conftest import begin
from tests.payments.rigs import RIGS, new_receipt

pytestmark = pytest.mark.django_db
KINDS = {
    "invoice.finalized", "invoice.paid", "invoice.overdue", "invoice.canceled", "credit_note.created",
    "payment.succeeded", "payment.failed", "refund.succeeded", "subscription.changed",
}  # fmt: skip


@pytest.fixture
def project(db: None) -> Any:
    made = make_customer()
    fee(made, "100")
    return made


@pytest.fixture
def endpoint(project: Any) -> WebhookEndpoint:
    return listening(organisation=project.organisation)


def listening(kinds: Any = KINDS, **owner: Any) -> WebhookEndpoint:
    return webhooks.create_endpoint(actor=FIN, url="https://93.184.216.34/hook", kinds=kinds, **owner)


@pytest.fixture
def invoice(project: Any, endpoint: WebhookEndpoint) -> Invoice:
    return finalized(project)


def told(endpoint: WebhookEndpoint) -> list[tuple[str, dict[str, Any]]]:
    """Kind and data of what was queued since the last look."""
    rows = list(WebhookDelivery.objects.filter(endpoint=endpoint).order_by("pk"))
    WebhookDelivery.objects.all().delete()
    bodies = [json.loads(row.body) for row in rows]
    assert [body["type"] for body in bodies] == [row.event_type for row in rows]
    return [(row.event_type, body["data"]) for row, body in zip(rows, bodies, strict=True)]


def test_every_kind_can_be_asked_for_and_has_words() -> None:
    assert set(known()) == KINDS
    assert all(str(words) for words in known().values())


def test_a_finalized_invoice_is_told_with_its_sums(invoice: Invoice, endpoint: WebhookEndpoint) -> None:
    ((kind, data),) = told(endpoint)
    assert kind == "invoice.finalized"
    assert data["id"] == str(invoice.uuid)
    assert data["organisation"] == str(invoice.organisation.uuid)
    assert (data["number"], data["status"]) == (str(invoice), "finalized")
    assert (data["total"], data["amount_due"], data["currency"]) == ("100.00", "100.00", "THB")
    assert data["due_date"] == str(invoice.due_date)
    assert data["url"].endswith(f"/invoices/{invoice.uuid}/")


def test_payment_credit_note_and_cancellation_are_told(invoice: Invoice, endpoint: WebhookEndpoint) -> None:
    told(endpoint)
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=Decimal(100), reference="slip 1")
    ((kind, data),) = told(endpoint)
    assert (kind, data["status"], data["amount_paid"]) == ("invoice.paid", "paid", "100.00")
    note = write_credit_note(actor=FIN, invoice=invoice, reason="wrong", cancel=True)
    (credited, canceled) = told(endpoint)
    assert (credited[0], credited[1]["number"], credited[1]["total"]) == ("credit_note.created", note.number, "100.00")
    assert (canceled[0], canceled[1]["status"]) == ("invoice.canceled", "canceled")


def test_an_overdue_invoice_is_told_once(invoice: Invoice, endpoint: WebhookEndpoint) -> None:
    told(endpoint)
    assert invoice.due_date is not None
    for days in (0, 1, 2, 8):
        send_reminders(actor=SYSTEM, day=invoice.due_date + timedelta(days=days))
    kinds = [kind for kind, _data in told(endpoint)]
    assert kinds == ["invoice.overdue", "subscription.changed"], "and the subscription is past due on the eighth day"


def test_every_change_of_a_subscription_is_told(project: Any, endpoint: WebhookEndpoint) -> None:
    row = Subscription.objects.get()
    suspend_subscription(actor=FIN, subscription=row, cause="staff", reason="misuse")
    resume_subscription(actor=FIN, subscription=row)
    (rests, goes_on) = [data for _kind, data in told(endpoint)]
    assert (rests["status"], rests["suspended_for"], rests["plan"]) == ("suspended", "staff", "pro")
    assert rests["change"]["from_status"] == "active"
    assert rests["change"]["reason"] == "misuse"
    assert (goes_on["status"], goes_on["change"]["action"]) == ("active", "resume")


def test_payments_and_refunds_of_an_invoice_are_told_to_its_organisation(
    invoice: Invoice, endpoint: WebhookEndpoint, fakes: Any, make_user: Any
) -> None:
    make_user("payer")
    told(endpoint)
    rig: Any = RIGS["stripe.card"](fakes)
    payment = begin(rig, invoice, "40")
    rig.pay(payment)
    rig.deliver()
    ((kind, data),) = told(endpoint)
    assert (kind, data["amount"], data["received"]) == ("payment.succeeded", "40.00", "40.00")
    assert (data["invoice"], data["receipt"]) == (str(invoice.uuid), None)
    payment.refresh_from_db()
    refund_payment(actor=FIN, payment=payment, amount_minor=1000, reason="asked for")
    ((kind, data),) = told(endpoint)
    assert (kind, data["amount"], data["payment"]["given_back"]) == ("refund.succeeded", "10.00", "10.00")
    payment = begin(RIGS["omise.promptpay"](fakes), invoice)
    rig = RIGS["omise.promptpay"](fakes)
    rig.fail(payment)
    rig.deliver()
    ((kind, data),) = told(endpoint)
    assert (kind, data["status"]) == ("payment.failed", "failed")


def test_a_payment_of_a_receipt_is_told_to_its_user(alice: Any) -> None:
    endpoint = listening(user=alice)
    payment = start_payment(actor=Actor("alice"), receipt=new_receipt())
    assert call(payment).status_code == 200
    ((kind, data),) = told(endpoint)
    assert (kind, data["receipt"], data["invoice"]) == ("payment.succeeded", payment.receipt_id, None)


def test_others_and_those_who_did_not_ask_hear_nothing(project: Any) -> None:
    silent = listening(kinds=["invoice.paid"], organisation=project.organisation)
    other = listening(organisation=make_customer(name="Other", account="other").organisation)
    off = listening(organisation=project.organisation)
    webhooks.switch_off(actor=FIN, endpoint=off)
    finalized(project)
    assert not WebhookDelivery.objects.filter(endpoint__in=(silent, other, off)).exists()


def test_what_did_not_happen_is_not_told(project: Any, endpoint: WebhookEndpoint) -> None:
    class Stop(Exception):
        pass

    with pytest.raises(Stop), transaction.atomic():
        finalized(project)
        raise Stop
    assert not WebhookDelivery.objects.exists()


def test_kinds_are_changed_and_unknown_ones_refused(endpoint: WebhookEndpoint) -> None:
    with pytest.raises(BadInput):
        webhooks.change_endpoint(actor=FIN, endpoint=endpoint, url=endpoint.url, description="", kinds=["x.y"])
    webhooks.change_endpoint(actor=FIN, endpoint=endpoint, url=endpoint.url, description="", kinds=["invoice.paid"])
    assert webhooks.kinds_of(endpoint) == ["invoice.paid"]
    webhooks.change_endpoint(actor=FIN, endpoint=endpoint, url=endpoint.url, description="new")
    assert webhooks.kinds_of(endpoint) == ["invoice.paid"], "those that nobody named stay"
