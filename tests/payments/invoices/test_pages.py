"""Who may pay an invoice on the web and over the API, what they see, and what finance sees of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import IdempotentRequest, Member, User
from billing.models import Invoice
from core.errors import Conflict
from core.periods import today
from payments.models import BankTransfer, Payment
from payments.services.transfers import accept_transfer
from tests.billing.invoicing import FIN, fee, finalized, make_customer
from tests.pages.conftest import text
from tests.payments.conftest import call
from tests.payments.invoices.conftest import begin, paid, standing
from tests.payments.rigs import RIGS
from tests.races import at_once

pytestmark = pytest.mark.django_db


def client_of(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=username))
    return client


def start_of(invoice: Invoice) -> str:
    return f"/payments/invoice/{invoice.uuid}/start"


def test_a_payer_chooses_an_amount_and_a_way_and_comes_back_to_what_is_true(invoice: Invoice, fakes: Any) -> None:
    client = client_of("payer")
    page = client.get(f"/invoices/{invoice.uuid}/").content.decode()
    assert f'action="{start_of(invoice)}"' in page
    assert re.search(r'name="amount"[^>]* value="100.00"', page)
    sent = client.post(start_of(invoice), {"way": "dummy.page", "amount": "1 0.25"}, follow=True)
    assert "10.25" in text(sent)
    assert f"invoice {invoice}" in text(sent)
    payment = Payment.objects.get()
    assert call(payment).status_code == 200
    after = text(client.get(f"/payments/thanks?invoice={invoice.uuid}"))
    assert "Thank you, a part is paid" in after
    assert "89.75 stays due" in after
    assert "Payment received" in text(client.get(f"/invoices/{invoice.uuid}/"))


@pytest.mark.parametrize("amount", ["0", "-5", "abc", "100.01", "1.001"])
def test_an_amount_that_is_none_is_refused_in_words(invoice: Invoice, fakes: Any, amount: str) -> None:
    response = client_of("payer").post(start_of(invoice), {"way": "dummy.page", "amount": amount})
    assert response.status_code == 400
    assert not Payment.objects.exists()


@pytest.mark.parametrize(("who", "api"), [("reader", 404), ("bob", 404), ("fin", 403)])
def test_whoever_does_not_look_after_its_bills_cannot_pay(
    invoice: Invoice, fakes: Any, bob: Any, who: str, api: int
) -> None:
    client = client_of(who)
    assert client.post(start_of(invoice), {"way": "dummy.page"}).status_code == 404
    assert client.get(f"/payments/thanks?invoice={invoice.uuid}").status_code == 404
    address = f"/api/v1/invoices/{invoice.uuid}/payments"
    assert client.post(address, {}, content_type="application/json").status_code == api
    payment = begin(RIGS["dummy.page"](), invoice)
    for page in (f"/payments/{payment.pk}/", f"/payments/simulate?payment={payment.external_payment_id}"):
        assert client.get(page).status_code == 404


def test_another_payer_of_the_organisation_goes_on_with_the_same_checkout(
    invoice: Invoice, fakes: Any, alice: Any
) -> None:
    Member.objects.create(organisation=invoice.organisation, user=alice, role="owner")
    payment = begin(RIGS["manual.transfer"](), invoice)
    client = client_of("alice")
    assert "Transfer" in text(client.get(f"/payments/{payment.pk}/"))
    form = {"bank": "SCB", "reference": "R1", "amount": "60.00", "transferred_on": f"{today()}"}
    assert client.post(f"/payments/{payment.pk}/transfer", form).status_code == 302
    assert BankTransfer.objects.get().submitted_by == "alice"


def test_a_transfer_of_a_part_pays_a_part(invoice: Invoice, fakes: Any) -> None:
    rig: Any = RIGS["manual.transfer"]()
    payment = begin(rig, invoice)
    transfer = rig.report(payment, 6000)
    shown = text(client_of("fin").get(f"/admin/payments/banktransfer/{transfer.pk}/accept/"))
    assert f"It is paid for Invoice {invoice} in part" in shown
    accept_transfer(actor=FIN, transfer=transfer, received_minor=6000, note="seen")
    payment.refresh_from_db()
    assert (payment.status, payment.amount_cents, payment.captured_cents) == ("succeeded", 6000, 6000)
    assert standing(invoice) == ("finalized", 60, 40)
    second = paid(rig, invoice)
    assert (second.pk != payment.pk, standing(invoice)[0]) == (True, "paid")


def test_members_who_owe_it_decide_about_no_transfer_for_it(invoice: Invoice, fakes: Any, finance: Any) -> None:
    Member.objects.create(organisation=invoice.organisation, user=finance, role="owner")
    rig: Any = RIGS["manual.transfer"]()
    transfer = rig.report(begin(rig, invoice), 10000)
    with pytest.raises(Conflict):
        accept_transfer(actor=FIN, transfer=transfer, received_minor=10000, note="seen")


def test_finance_sees_the_payment_with_its_invoice_and_what_a_refund_changes(invoice: Invoice, fakes: Any) -> None:
    payment = paid(RIGS["stripe.card"](fakes), invoice)
    client = client_of("fin")
    for page in (f"/admin/payments/payment/?q={invoice}", f"/admin/payments/payment/{payment.pk}/change/"):
        assert f'/admin/billing/invoice/{invoice.pk}/change/">{invoice}' in client.get(page).content.decode()
    address = f"/admin/payments/payment/{payment.pk}/refund/"
    shown = text(client.post(address, {"amount": "30", "reason": "asked for", "seen": "0", "look": "1"}))
    assert f"of invoice {invoice} is due again" in shown
    client.post(address, {"amount": "30", "reason": "asked for", "seen": "0", "confirm": "1"})
    assert standing(invoice) == ("finalized", 70, 30)
    assert str(invoice) in client.get("/admin/payments/refund/").content.decode()


def test_the_page_warns_while_money_is_being_looked_at(invoice: Invoice, fakes: Any) -> None:
    payment = begin(RIGS["dummy.page"](), invoice)
    Payment.objects.filter(pk=payment.pk).update(status="needs_review", captured_cents=5)
    page = client_of("payer").get(f"/invoices/{invoice.uuid}/").content.decode()
    assert "Please do not pay again" in page
    assert start_of(invoice) not in page


# the API


def ask(client: Client, invoice: Invoice, body: Any, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    address = f"/api/v1/invoices/{invoice.uuid}/payments"
    return client.post(address, body, content_type="application/json", headers=headers)


def test_a_checkout_over_the_api_is_begun_once_a_key(invoice: Invoice, fakes: Any) -> None:
    client, order = client_of("payer"), {"amount": "40.00", "way": "stripe.card"}
    first, second = ask(client, invoice, order, "k1"), ask(client, invoice, order, "k1")
    assert (first.status_code, second.json()) == (201, first.json())
    found = first.json()
    assert (found["amount"], found["status"], found["provider"]) == ("40.00", "pending", "stripe")
    assert found["pay_at"].endswith(f"/payments/{found['id']}/")
    assert ask(client, invoice, {"amount": "41.00", "way": "stripe.card"}, "k1").status_code == 422
    rig: Any = RIGS["stripe.card"](fakes)
    rig.pay(Payment.objects.get())
    rig.deliver()
    assert ask(client, invoice, order, "k1").json() == found, "the first answer, whatever came of it"
    assert Payment.objects.count() == 1
    assert ask(client, invoice, order, "k2").json()["id"] != found["id"]
    rows = client.get(f"/api/v1/invoices/{invoice.uuid}/payments").json()["results"]
    assert [(row["status"], row["received"]) for row in rows] == [("pending", "0.00"), ("succeeded", "40.00")]


def test_a_key_whose_first_request_died_finds_its_own_attempt(invoice: Invoice, fakes: Any) -> None:
    client = client_of("payer")
    first = ask(client, invoice, {"amount": "40.00", "way": "stripe.card"}, "k1").json()
    rig: Any = RIGS["stripe.card"](fakes)
    rig.pay(Payment.objects.get())
    rig.deliver()
    IdempotentRequest.objects.all().delete()
    again = ask(client, invoice, {"amount": "40.00", "way": "stripe.card"}, "k1")
    assert (again.json()["id"], again.json()["status"]) == (first["id"], "succeeded")


@pytest.mark.parametrize(
    "body", [{"amount": "0"}, {"amount": "100.01"}, {"way": "nobody.card"}, {"way": "stripe.nothing"}, {"sum": 1}]
)
def test_what_cannot_be_paid_so_is_refused_by_its_field(invoice: Invoice, fakes: Any, body: Any) -> None:
    answer = ask(client_of("payer"), invoice, body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, list(body))
    assert not Payment.objects.exists()


def test_other_organisations_invoices_are_not_there(invoice: Invoice, fakes: Any) -> None:
    other = make_customer(name="Other", account="other")
    fee(other, "5")
    theirs = finalized(other)
    client = client_of("payer")
    assert ask(client, theirs, {}).status_code == 404
    assert client.get(f"/api/v1/invoices/{theirs.uuid}/payments").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_key_raced_begins_one_checkout(invoice: Invoice, fakes: Any) -> None:
    found = at_once(3, lambda _n: ask(client_of("payer"), invoice, {"way": "stripe.card"}, "k1").status_code)
    assert set(found) <= {201, 409}
    assert 201 in found
    assert Payment.objects.count() == 1
