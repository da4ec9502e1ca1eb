"""An invoice on paper says what the invoice says, in both languages, and the same each time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from billing.documents.invoice_paper import bill_of
from billing.documents.invoice_pdf import invoice_pdf
from billing.models import Invoice
from billing.services.invoices.credit_notes import write_credit_note
from tests.billing.invoicing import FIN, draft, fee, finalized, make_customer, off, price, use
from tests.billing.test_receipt_pdf import both, pages, squeezed
from tests.factories import make_jobs
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(settings: Any) -> Invoice:
    settings.BILLING_TAX_ENABLED = True
    settings.ORG_NAME, settings.ORG_TAX_ID = "Centre", "0994000158378"
    project = make_customer("Institute", account="inst", billing_email="bills@institute.example")
    make_jobs(2, account="inst")
    price(description="API calls", description_th="การเรียกใช้ API")
    use(project, 3)
    fee(project, "1234.50")
    off(project, percent=Decimal(10))
    return finalized(project)


@both
def test_the_paper_says_what_the_invoice_says(invoice: Invoice, language: str) -> None:
    (page,) = pages(invoice_pdf(invoice=invoice, language=language))
    words = [str(invoice), "Institute", "bills@institute.example", "1,234.50", f"{invoice.total:,.2f}",
             f"{invoice.discount:,.2f}", f"{invoice.tax:,.2f}", "VAT7.00%", "0994000158378"]  # fmt: skip
    words += ["API calls", "Invoice", "October 2026"] if language == "en" else ["การเรียกใช้"]
    for each in words:
        assert squeezed(each) in page, each


@both
def test_units_are_words(language: str) -> None:
    project = make_customer(account="")
    price("cpu.time", "1", unit="cpu_second")
    use(project, metric_name="cpu.time", unit="cpu_second")
    (page,) = pages(invoice_pdf(invoice=finalized(project), language=language))
    assert "cpu_second" not in page
    assert squeezed("CPU-second" if language == "en" else "CPU-วินาที") in page


def test_the_same_invoice_gives_the_same_bytes(invoice: Invoice) -> None:
    assert invoice_pdf(invoice=invoice, language="en") == invoice_pdf(invoice=invoice, language="en")


def test_many_lines_flow_over_pages_without_one_lost() -> None:
    project = make_customer(account="")
    for number in range(60):
        price(f"metric-{number:02}", "1")
        use(project, metric_name=f"metric-{number:02}")
    found = pages(invoice_pdf(invoice=finalized(project), language="en"))
    assert len(found) > 1
    together = "".join(found)
    assert all(f"metric-{number:02}" in together for number in range(60))
    assert f"Page1of{len(found)}" in found[0]


def test_drafts_and_canceled_ones_say_so() -> None:
    project = make_customer(account="")
    fee(project)
    invoice = draft(project)
    assert "DRAFT" in pages(invoice_pdf(invoice=invoice, language="en"))[0]
    invoice = finalized(project)
    write_credit_note(actor=FIN, invoice=invoice, reason="x", cancel=True)
    assert "CANCELED" in pages(invoice_pdf(invoice=invoice, language="en"))[0]


def test_a_currency_without_places_has_none_on_paper() -> None:
    project = make_customer(account="", currency="JPY")
    price(per_unit="1000", currency="JPY")
    use(project, 2)
    page = pages(invoice_pdf(invoice=finalized(project), language="en"))[0]
    assert "JPY2,000" in page
    assert "2,000.00" not in page


def test_the_code_on_it_leads_to_the_answer_that_it_is_genuine(invoice: Invoice) -> None:
    question = urlsplit(bill_of(invoice).verify_url).query
    assert parse_qs(question)["number"] == [str(invoice)]
    assert "Genuine." in text(Client().get(f"/verify/?{question}"))
    assert "Not genuine." in text(Client().get(f"/verify/?number={invoice}&hash={'0' * 64}"))


@both
def test_it_can_be_fetched_by_who_may_read_it(invoice: Invoice, finance: Any, alice: Any, language: str) -> None:
    address = f"/invoices/{invoice.uuid}{'.th' if language == 'th' else ''}.pdf"
    client = Client()
    client.force_login(finance, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(address).status_code == 404
