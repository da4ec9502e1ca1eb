"""Money that somebody wrote down by hand: what is too much has to be said, and what was a mistake is taken back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import Approval, Member
from accounts.services.approvals import WaitsForSecond, approve
from audit.models import AuditLog
from billing.models import CreditEntry, Invoice, InvoicePayment
from billing.selectors.documents.invoices import paper_of
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.issue import balance
from billing.services.invoices.payments import (
    NotReversible,
    OtherAmount,
    record_payment,
    record_payment_by_hand,
    reverse_payment,
)
from core.context import Actor
from core.errors import BadInput
from hpcbilling.books import INVARIANTS
from tests.billing.invoicing import FIN, fee, finalized, make_customer
from tests.billing.test_journal import balances, post
from tests.races import at_once

pytestmark = pytest.mark.django_db
PROOFS = ("journal", "journal_balance", "journal_receivable", "invoice_dues", "invoice_money")


@pytest.fixture
def invoice() -> Invoice:
    project = make_customer()
    fee(project, "100")
    return finalized(project)


def pay(invoice: Invoice, amount: str, over: str = "0", reference: str = "slip 1") -> bool:
    return record_payment_by_hand(
        actor=FIN, invoice=invoice, amount=Decimal(amount), reference=reference, overpayment=Decimal(over)
    )


def take_back(invoice: Invoice, **more: Any) -> bool:
    payment = InvoicePayment.objects.filter(invoice=invoice).latest("pk")
    done = reverse_payment(actor=FIN, payment=payment, reason="the wrong customer's slip", **more)
    invoice.refresh_from_db()
    return done


def proofs() -> list[str]:
    post()
    return [line for name in PROOFS for line in INVARIANTS[name]()]


@pytest.mark.parametrize(("amount", "over"), [("1000", "0"), ("100.01", "0"), ("150", "49.99"), ("90", "10")])
def test_more_than_is_due_has_to_be_said_to_the_unit(invoice: Invoice, amount: str, over: str) -> None:
    with pytest.raises(BadInput) as refused:
        pay(invoice, amount, over)
    assert refused.value.details["field"] == "overpayment"
    assert not invoice.payments.exists()


@pytest.mark.parametrize("again", ["abc-1", "ABC-1 ", "aBc-1", " Abc-1\t"])
def test_a_slip_that_is_typed_otherwise_is_the_same_slip(invoice: Invoice, again: str) -> None:
    assert pay(invoice, "40", reference="Abc-1")
    assert not pay(invoice, "40", reference=again)
    with pytest.raises(OtherAmount):
        pay(invoice, "30", reference=again)
    assert invoice.payments.count() == 1


def test_ids_of_a_provider_differ_by_their_capitals(invoice: Invoice) -> None:
    for reference in ("pay_Ab1", "pay_aB1"):
        assert record_payment(
            actor=FIN, invoice=invoice, amount=Decimal(40), currency="THB", method="card", reference=reference
        )
    assert invoice.payments.count() == 2


def test_a_sum_that_no_column_holds_is_refused_in_words(invoice: Invoice) -> None:
    """SQLite wrote it, and then neither the invoice nor the journal could be read again."""
    with pytest.raises(BadInput, match="more than an invoice can hold") as refused:
        pay(invoice, "99999999999999.99", "99999999999899.99")
    assert refused.value.details["field"] == "amount"
    assert not invoice.payments.exists()
    assert proofs() == []


class TestMoreThanIsDue:
    def test_is_kept_in_favour_when_it_was(self, invoice: Invoice) -> None:
        assert pay(invoice, "150", "50")
        assert (invoice.status, balance(invoice.organisation, "THB")) == ("paid", 50)
        assert not pay(invoice, "150", "50"), "one slip counts once"

    def test_what_was_given_up_counts_as_due(self, invoice: Invoice) -> None:
        from billing.services.invoices.write_offs import write_off_invoice

        write_off_invoice(actor=FIN, invoice=invoice, reason="bankrupt")
        invoice.refresh_from_db()
        assert pay(invoice, "100")
        assert proofs() == []

    def test_is_asked_for_before_a_second_person_is(self, invoice: Invoice, settings: Any, make_user: Any) -> None:
        settings.FOUR_EYES_ABOVE = Decimal(50)
        for name in ("fin", "fin2"):
            make_user(name, role="admin", groups=["Finance"])
        with pytest.raises(BadInput):
            pay(invoice, "1000")
        with pytest.raises(WaitsForSecond):
            pay(invoice, "150", "50")
        approve(actor=Actor("fin2"), approval=Approval.objects.get())
        assert balance(invoice.organisation, "THB") == 50

    def test_of_a_provider_is_what_it_is(self, invoice: Invoice) -> None:
        assert record_payment(
            actor=FIN, invoice=invoice, amount=Decimal(1000), currency="THB", method="stripe", reference="ch_1",
            source="payment:1",
        )  # fmt: skip


def test_what_a_provider_brought_goes_back_there(invoice: Invoice) -> None:
    record_payment(
        actor=FIN, invoice=invoice, amount=Decimal(100), currency="THB", method="stripe", reference="ch_1",
        source="payment:1",
    )  # fmt: skip
    with pytest.raises(NotReversible):
        take_back(invoice)


class TestAMistakeIsTakenBack:
    def test_the_invoice_is_due_again_and_the_books_are_as_before(self, invoice: Invoice) -> None:
        post()
        before = balances()
        pay(invoice, "100")
        post()
        assert balances() != before
        assert take_back(invoice)
        assert (invoice.status, invoice.amount_paid, invoice.amount_due) == ("finalized", 0, 100)
        assert proofs() == []
        assert {role: amount for role, amount in balances().items() if amount} == before
        told = AuditLog.objects.get(action="invoice_return")
        assert (told.actor, told.extra["reason"]) == ("fin", "the wrong customer's slip")

    def test_once(self, invoice: Invoice) -> None:
        pay(invoice, "100")
        assert [take_back(invoice), take_back(invoice)] == [True, False]
        assert invoice.returns.count() == 1

    def test_with_what_was_too_much(self, invoice: Invoice) -> None:
        pay(invoice, "150", "50")
        take_back(invoice)
        assert (invoice.amount_due, balance(invoice.organisation, "THB"), proofs()) == (100, 0, [])

    def test_of_two_parts_one(self, invoice: Invoice) -> None:
        pay(invoice, "60")
        pay(invoice, "40", reference="slip 2")
        take_back(invoice)
        assert (invoice.status, invoice.amount_paid, invoice.amount_due, proofs()) == ("finalized", 60, 40, [])

    def test_then_the_slip_may_come_again_with_the_right_amount(self, invoice: Invoice) -> None:
        pay(invoice, "10")
        take_back(invoice)
        assert pay(invoice, "100")
        assert not pay(invoice, "100")
        assert (invoice.status, proofs()) == ("paid", [])
        take_back(invoice)
        assert (invoice.amount_due, proofs()) == (100, [])
        assert pay(invoice, "100")

    def test_after_a_credit_note_the_balance_gives_it(self, invoice: Invoice) -> None:
        pay(invoice, "100")
        write_credit_note(actor=FIN, invoice=invoice, reason="wrong")
        assert balance(invoice.organisation, "THB") == 100
        take_back(invoice)
        assert (invoice.status, balance(invoice.organisation, "THB"), proofs()) == ("refunded", 0, [])

    def test_with_a_reason(self, invoice: Invoice) -> None:
        pay(invoice, "100")
        with pytest.raises(BadInput) as refused:
            reverse_payment(actor=FIN, payment=InvoicePayment.objects.get(), reason="  ")
        assert refused.value.details["field"] == "reason"

    def test_a_large_one_by_two_people(self, invoice: Invoice, settings: Any, make_user: Any) -> None:
        for name in ("fin", "fin2"):
            make_user(name, role="admin", groups=["Finance"])
        pay(invoice, "100")
        settings.FOUR_EYES_ABOVE = Decimal(50)
        with pytest.raises(WaitsForSecond):
            take_back(invoice)
        assert not invoice.returns.exists()
        approve(actor=Actor("fin2"), approval=Approval.objects.get())
        invoice.refresh_from_db()
        assert (invoice.amount_due, invoice.returns.get().created_by) == (100, "fin")

    def test_the_customer_reads_that_it_was_a_mistake(self, invoice: Invoice) -> None:
        pay(invoice, "100")
        take_back(invoice)
        said = [step.what for step in paper_of(invoice).steps]
        assert "Payment taken back: it was written down by mistake" in said


@pytest.mark.django_db(transaction=True)
def test_many_at_once_take_it_back_once(invoice: Invoice) -> None:
    pay(invoice, "150", "50")
    payment = InvoicePayment.objects.get()
    found = at_once(4, lambda _n: reverse_payment(actor=FIN, payment=payment, reason="mistake"))
    assert sorted(found) == [False, False, False, True]
    assert (Invoice.objects.get().amount_due, sum(CreditEntry.objects.values_list("amount", flat=True))) == (100, 0)


class TestOverTheApi:
    def send(self, client: Client, address: str, body: Any, key: str = "") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return client.post(f"/api/v1/{address}", body, content_type="application/json", headers=headers)

    def test_it_is_written_down_and_taken_back(self, invoice: Invoice, finance: Any, client: Client) -> None:
        client.force_login(finance)
        at = f"invoices/{invoice.uuid}/received"
        refused = self.send(client, at, {"amount": "1000", "reference": "slip 1"})
        assert (refused.status_code, list(refused.json()["errors"])) == (400, ["overpayment"])
        order = {"amount": "1000", "reference": "slip 1", "overpayment": "900"}
        (row,) = self.send(client, at, order).json()["payments"]
        assert (row["amount"], row["taken_back"]) == ("1000.00", False)
        back = f"{at}/{row['id']}/reverse"
        first, second = (self.send(client, back, {"reason": "wrong slip"}, key="k") for _twice in range(2))
        assert (first.status_code, first.json()["amount_due"], first.json()["payments"][0]["taken_back"]) == (
            200, "100.00", True,
        )  # fmt: skip
        assert (second.json(), second.headers["Idempotent-Replayed"]) == (first.json(), "true")
        assert self.send(client, back, {"reason": "wrong slip"}).json()["amount_due"] == "100.00"
        assert self.send(client, f"{at}/999999/reverse", {"reason": "x"}).status_code == 404
        assert self.send(client, back, {"reason": ""}).json()["errors"]["reason"]

    def test_nobody_else_does(self, invoice: Invoice, alice: Any, auditor: Any, client: Client) -> None:
        Member.objects.create(organisation=invoice.organisation, user=alice, role="owner")
        pay(invoice, "100")
        at = f"invoices/{invoice.uuid}/received/{InvoicePayment.objects.get().pk}/reverse"
        for user in (alice, auditor):
            client.force_login(user)
            assert self.send(client, at, {"reason": "x"}).status_code == 403
        assert not invoice.returns.exists()


class TestInTheConsole:
    def test_it_is_shown_first_and_then_done(self, invoice: Invoice, finance: Any, client: Client) -> None:
        client.force_login(finance)
        page, at = f"/admin/billing/invoice/{invoice.pk}/change/", f"/admin/billing/invoice/{invoice.pk}/reverse/"
        assert at not in client.get(page).content.decode()
        pay(invoice, "150", "50")
        assert at in client.get(page).content.decode()
        order = {"payment": InvoicePayment.objects.get().pk, "reason": "wrong slip"}
        words = client.post(at, order).content.decode()
        for said in ("counts as never received", "100.00 is due then", "50.00 less is in favour"):
            assert said in words
        assert not invoice.returns.exists()
        client.post(at, order | {"confirm": "1"})
        assert (Invoice.objects.get().amount_due, invoice.returns.get().reason) == (100, "wrong slip")
        assert "not possible in its present state" in client.get(at).content.decode()

    def test_an_auditor_does_not(self, invoice: Invoice, auditor: Any, client: Client) -> None:
        pay(invoice, "100")
        client.force_login(auditor)
        assert client.get(f"/admin/billing/invoice/{invoice.pk}/reverse/").status_code == 403
