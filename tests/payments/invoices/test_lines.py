"""Lines of a bank's statement that pay invoices: found by number, matched by people, in part, in full or too much."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from billing.models import Invoice
from billing.services.invoices.issue import balance
from billing.services.invoices.payments import record_payment_by_hand
from core.errors import Conflict
from payments.models import BankLine
from payments.services.lines import match_line
from payments.statements.suggestions import suggestions_for
from tests.billing.invoicing import FIN
from tests.payments.conformance.test_paying import assert_books
from tests.payments.invoices.conftest import begin, standing
from tests.payments.invoices.test_pages import client_of
from tests.payments.manual.conftest import line
from tests.payments.rigs import RIGS

pytestmark = pytest.mark.django_db


def test_the_number_of_an_invoice_in_the_line_names_it(invoice: Invoice, fakes: Any) -> None:
    it = line("100.00", f"transfer for {invoice}")
    (found,) = suggestions_for([it])[it.pk]
    assert (found.candidate.kind, found.candidate.number, found.candidate.username) == (
        "invoice", str(invoice), "Institute",
    )  # fmt: skip
    assert found.reason == "the invoice's number stands in the line, same amount"
    page = client_of("fin").get(f"/admin/payments/bankline/{it.pk}/change/").content.decode()
    assert f"?invoice={invoice.pk}" in page


def test_an_invoice_that_is_paid_already_is_named_for_finance_to_decide(invoice: Invoice, fakes: Any) -> None:
    record_payment_by_hand(actor=FIN, invoice=invoice, amount=invoice.amount_due, reference="kb 77")
    named, known = line("60.00", f"once more {invoice}"), line("100.00", "from the bank", reference="KB77")
    for it, reason in (
        (named, "the invoice's number stands in the line, but the amount there is THB\xa0100.00; paid already"),
        (known, "same reference; paid already"),
    ):
        (found,) = suggestions_for([it])[it.pk]
        assert (found.candidate.number, found.candidate.paid) == (str(invoice), True)
        assert found.reason.startswith(reason)
        page = client_of("fin").get(f"/admin/payments/bankline/{it.pk}/change/").content.decode()
        assert "paid already" in page
        assert f"?invoice={invoice.pk}" not in page
    assert standing(invoice) == ("paid", 100, 0)


def test_an_amount_alone_says_nothing_of_what_is_paid(invoice: Invoice, fakes: Any) -> None:
    record_payment_by_hand(
        actor=FIN, invoice=invoice, amount=invoice.amount_due, reference="kb 77", received_on=date(2026, 10, 2)
    )
    it = line("100.00", "no hint")
    assert suggestions_for([it])[it.pk] == []


@pytest.mark.parametrize(
    ("amount", "expected", "kept"),
    [("100.00", ("paid", 100, 0), 0), ("60.00", ("finalized", 60, 40), 0), ("130.00", ("paid", 100, 0), 30)],
)
def test_a_line_pays_an_invoice_by_what_arrived(
    invoice: Invoice, fakes: Any, amount: str, expected: Any, kept: int
) -> None:
    it = line(amount, f"for {invoice}")
    match_line(actor=FIN, line=it, invoice=invoice, note="number in the text")
    assert standing(invoice) == expected
    assert balance(invoice.organisation, "THB") == kept
    it.refresh_from_db()
    assert it.status == "matched"
    assert_books()


def test_the_console_says_first_what_a_match_changes(invoice: Invoice, fakes: Any) -> None:
    it = line("60.00", "no hint")
    client, address = client_of("fin"), f"/admin/payments/bankline/{it.pk}/match/"
    shown = client.get(address, {"number": str(invoice).lower()}).content.decode()
    assert "40.00 stays due" in shown
    client.post(address, {"invoice": invoice.pk, "note": "asked the payer"})
    assert standing(invoice) == ("finalized", 60, 40)
    assert BankLine.objects.get().status == "matched"


def test_a_checkout_that_was_open_is_ended_first(invoice: Invoice, fakes: Any) -> None:
    payment = begin(RIGS["stripe.card"](fakes), invoice)
    match_line(actor=FIN, line=line("100.00"), invoice=invoice, note="seen")
    payment.refresh_from_db()
    assert payment.status == "canceled"
    assert standing(invoice)[0] == "paid"


def test_a_line_in_another_currency_pays_nothing(invoice: Invoice, fakes: Any) -> None:
    it = line("100.00")
    BankLine.objects.update(currency="USD")
    it.refresh_from_db()
    with pytest.raises(Conflict):
        match_line(actor=FIN, line=it, invoice=invoice, note="seen")
