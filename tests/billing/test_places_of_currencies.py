"""Yen have no decimals and dinars three: on every file and paper an amount has those of its currency, to the last unit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
import time_machine
from django.test import Client

from accounts.models import BillingMode, Organisation
from billing.documents.invoice_pdf import invoice_pdf
from billing.models import Invoice
from billing.reports.base import Asked, all_reports
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment
from billing.services.ledger.journal_exports import export_journal
from core.money import places, to_minor
from tests.billing.invoicing import FIN, fee, finalized, make_customer, price, use
from tests.billing.test_journal import post, yearly
from tests.billing.test_receipt_pdf import both, pages, squeezed
from tests.databases import BORN

pytestmark = pytest.mark.django_db
CURRENCIES = {"JPY": ("1234567", "#,##0"), "KWD": ("1234.567", "#,##0.000"), "THB": ("1234.50", "#,##0.00")}
RATES = "#,##0.00########"  # of taxes, in percent
each_currency = pytest.mark.parametrize("currency", CURRENCIES)


@pytest.fixture
def invoice(settings: Any, currency: str) -> Iterator[Invoice]:
    """A monthly fee, a yearly one of which most is yet to be earned, usage that is rounded; taxed; a part paid, a part
    taken back.
    """
    with time_machine.travel(BORN, tick=True):
        yield _invoice(settings, currency)


def _invoice(settings: Any, currency: str) -> Invoice:
    settings.BILLING_TAX_ENABLED = True
    project = make_customer(currency=currency)
    fee(project, CURRENCIES[currency][0], currency=currency)
    yearly(project, "1200", currency=currency)
    price(per_unit="0.33333", currency=currency)
    use(project, 7)
    found = finalized(project)
    unit = Decimal(1).scaleb(-places(currency))
    record_payment(actor=FIN, invoice=found, amount=unit * 101, currency=currency, method="manual", reference="slip")
    write_credit_note(actor=FIN, invoice=found, reason="outage", lines={1: unit * 2})
    post()
    return found


@pytest.fixture
def staff(finance: Any) -> Client:
    client = Client()
    client.force_login(finance)
    return client


def body(answer: Any) -> bytes:
    assert answer.status_code == 200
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def decimals(text: str) -> int:
    return len(text.partition(".")[2])


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


@each_currency
@both
def test_the_paper_has_them(invoice: Invoice, currency: str, language: str) -> None:
    paper = "".join(pages(invoice_pdf(invoice=invoice, language=language)))
    shown = f",.{places(currency)}f"
    for amount in (Decimal(CURRENCIES[currency][0]), invoice.subtotal, invoice.tax, invoice.total):
        assert squeezed(f"{amount:{shown}}") in paper
    assert f"{invoice.total:,.4f}" not in paper


@each_currency
def test_the_file_for_the_erp_has_them_and_adds_up(invoice: Invoice, currency: str, staff: Client) -> None:
    batch = export_journal(actor=FIN, until=date(2100, 1, 1))
    rows = table(body(staff.get(f"/admin/billing/journalexport/{batch.pk}.csv")))
    assert {row["currency"] for row in rows} == {currency}
    assert {decimals(row[side]) for row in rows for side in ("debit", "credit")} == {places(currency)}
    debits, credits = (sum(Decimal(row[side]) for row in rows) for side in ("debit", "credit"))
    assert debits == credits
    receivable = [row for row in rows if row["document"] == str(invoice) and row["account"] == "1130"]
    assert Decimal(receivable[0]["debit"]) == invoice.total
    assert to_minor(invoice.total, currency) > 0
    check_sheet(body(staff.get(f"/admin/billing/journalexport/{batch.pk}.xlsx")), currency, invoice.total)


def check_sheet(content: bytes, currency: str, total: Decimal) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    wanted = CURRENCIES[currency][1]
    cells = [cell for row in sheet.iter_rows(min_row=2) for cell in row if "#,##0" in cell.number_format]
    assert {cell.number_format for cell in cells} == {wanted}
    assert float(total) in {cell.value for cell in cells}


@each_currency
def test_reports_have_them(invoice: Invoice, currency: str, staff: Client) -> None:
    seen = set()
    for report in all_reports():
        if not any(row for row in report.rows(Asked())):
            continue
        seen.add(report.name)
        money = [column.name for column in report.columns if column.kind == "money"]
        rows = table(body(staff.get(f"/api/v1/reports/{report.name}.csv")))
        cells = [row[name] for row in rows for name in money if row[name]]
        assert {decimals(cell) for cell in cells} <= {places(currency)}, (report.name, cells)
        content = body(staff.get(f"/api/v1/reports/{report.name}.xlsx"))
        formats = {
            cell.number_format
            for row in openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows(min_row=2)
            for cell in row
            if "#,##0" in cell.number_format and cell.number_format != RATES
        }
        assert formats <= {CURRENCIES[currency][1]}, (report.name, formats)
    assert {"revenue", "ageing", "tax", "deferred", "recurring"} <= seen


@each_currency
def test_the_api_has_them(invoice: Invoice, currency: str, staff: Client) -> None:
    row = staff.get(f"/api/v1/invoices/{invoice.uuid}").json()
    amounts = [row[name] for name in ("subtotal", "tax", "total", "amount_paid", "amount_credited", "amount_due")]
    amounts += [line["net"] for line in row["lines"]] + [note["total"] for note in row["credit_notes"]]
    assert {decimals(amount) for amount in amounts} == {places(currency)}


def test_an_organisation_may_be_billed_in_any_of_them() -> None:
    for currency in CURRENCIES:
        Organisation(name=currency, currency=currency, billing_mode=BillingMode.INVOICES).full_clean()
