"""One box of the console: whatever number somebody has in hand leads to its row, for those who may see it."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Invoice, Receipt
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment
from billing.services.receipts import create_receipts
from core.context import SYSTEM
from hpcbilling.pages.search import search
from payments.models import Payment
from tests.billing.invoicing import draft, fee, finalized, make_customer
from tests.factories import account_tier, make_job
from tests.pages.conftest import text
from tests.payments.conftest import call
from usage.models import Job

pytestmark = pytest.mark.django_db
SEARCH = "/admin/search/"


@pytest.fixture
def receipt(alice: Any) -> Receipt:
    account_tier("physics", "mu")
    make_job()
    return create_receipts(actor=SYSTEM, username="alice")[0]


@pytest.fixture
def payment(receipt: Receipt) -> Payment:
    from payments.services.checkout import start_payment

    made = start_payment(actor=SYSTEM, receipt=receipt)
    call(made)
    made.refresh_from_db()
    return made


@pytest.fixture
def as_finance(client: Any, finance: Any) -> Any:
    client.force_login(finance)
    return client


@pytest.mark.parametrize(
    ("what", "where"),
    [
        ("document_number", "/admin/billing/receipt/{receipt}/change/"),
        ("document_number_small", "/admin/billing/receipt/{receipt}/change/"),
        ("job_key", "/admin/usage/job/{job}/change/"),
        ("username", "/admin/accounts/user/alice/change/"),
        ("username_capital", "/admin/accounts/user/alice/change/"),
        ("idempotency_key", "/admin/payments/payment/{payment}/change/"),
    ],
)
def test_a_single_hit_is_opened_at_once(
    as_finance: Any, receipt: Receipt, payment: Payment, what: str, where: str
) -> None:
    job = Job.objects.get()
    term = {
        "document_number": receipt.document_number,
        "document_number_small": str(receipt.document_number).lower(),
        "job_key": job.job_key,
        "username": "alice",
        "username_capital": " Alice ",
        "idempotency_key": payment.idempotency_key,
    }[what]
    response = as_finance.get(SEARCH, {"q": term})
    assert response.headers["Location"] == where.format(receipt=receipt.pk, job=job.pk, payment=payment.pk)


def test_a_payment_reference_finds_the_payment_and_its_receipt(as_finance: Any, payment: Payment) -> None:
    page = text(as_finance.get(SEARCH, {"q": payment.external_charge_id}))
    for words in ("Receipts", str(payment.receipt), "Payments", "THB 8.00", "paid"):
        assert words in page


@pytest.fixture
def invoice(receipt: Receipt) -> Invoice:
    project = make_customer()
    fee(project, "300")
    return finalized(project)


@pytest.mark.parametrize("small", [False, True])
def test_an_invoice_is_found_by_its_number_and_by_what_paid_it(as_finance: Any, invoice: Invoice, small: bool) -> None:
    record_payment(
        actor=SYSTEM, invoice=invoice, amount=Decimal(100), currency="THB", method="transfer", reference="KB-77 112",
        received_on=date(2026, 11, 20),
    )  # fmt: skip
    number = str(invoice.invoice_number)
    for term in (number.lower() if small else number, "KB-77 112"):
        response = as_finance.get(SEARCH, {"q": term})
        assert response.headers["Location"] == f"/admin/billing/invoice/{invoice.pk}/change/", term


def test_a_draft_is_found_by_its_own_number(as_finance: Any) -> None:
    project = make_customer()
    fee(project, "300")
    found = draft(project)
    response = as_finance.get(SEARCH, {"q": f"#{found.pk}"})
    assert response.headers["Location"] == f"/admin/billing/invoice/{found.pk}/change/"


def test_a_credit_note_is_found_by_its_number(as_finance: Any, invoice: Invoice) -> None:
    note = write_credit_note(actor=SYSTEM, invoice=invoice, reason="too much")
    response = as_finance.get(SEARCH, {"q": note.number})
    assert response.headers["Location"] == f"/admin/billing/creditnote/{note.pk}/change/"


def test_a_number_finds_every_kind_that_has_it(as_finance: Any, alice: Any) -> None:
    jobs = [make_job(job_id=4711, job_key=f"{cluster}:4711:1", cluster=cluster) for cluster in ("a", "b")]
    make_job(job_id=4712)
    page = as_finance.get(SEARCH, {"q": "4711"}).content.decode()
    assert all(f"/admin/usage/job/{job.pk}/change/" in page for job in jobs)
    assert len(re.findall(r"/admin/usage/job/[0-9]+/change/", page)) == 2


def test_a_task_of_an_array_is_found_as_slurm_writes_it(as_finance: Any, alice: Any) -> None:
    job = make_job(job_id=812, array_job_id=800, array_task_id=7, job_id_display="800_7")
    make_job(job_id=813, array_job_id=800, array_task_id=8, job_id_display="800_8")
    assert as_finance.get(SEARCH, {"q": "800_7"}).headers["Location"] == f"/admin/usage/job/{job.pk}/change/"


@pytest.mark.parametrize("term", ["nothing-like-it", "9" * 30, "%", "'; --", "<b>x</b>", "²", "-1"])
def test_what_is_not_there_is_said_and_explained(as_finance: Any, receipt: Receipt, term: str) -> None:
    response = as_finance.get(SEARCH, {"q": term})
    assert response.status_code == 200
    assert "Nothing has the number or name" in text(response)
    assert "<b>x</b>" not in response.content.decode()


def test_without_a_term_it_says_what_can_be_found(as_finance: Any) -> None:
    assert "The number of a receipt, an invoice or a credit note, a job id" in text(as_finance.get(SEARCH))


def test_nobody_finds_what_they_may_not_open(client: Any, make_user: Any, payment: Payment) -> None:
    client.force_login(make_user("ed", role="admin", groups=["Rates editor"]))
    for term in ("alice", payment.external_payment_id, str(payment.receipt)):
        assert "Nothing has" in text(client.get(SEARCH, {"q": term}))
    client.logout()
    assert client.get(SEARCH, {"q": "alice"}).status_code == 302


def test_the_beginning_of_a_user_name_is_enough_where_nobody_has_it_whole(as_finance: Any, make_user: Any) -> None:
    for name in ("wanida", "wanna", "wan"):
        make_user(name)
    assert as_finance.get(SEARCH, {"q": "wan"}).headers["Location"] == "/admin/accounts/user/wan/change/"
    page = text(as_finance.get(SEARCH, {"q": "Wa"}))
    assert page.index("Users") < page.index("wan ") < page.index("wanida") < page.index("wanna")


@pytest.mark.postgres
def test_every_look_up_can_use_an_index(rf: Any, finance: Any, receipt: Receipt) -> None:
    """With sequential scans forbidden where anything else is possible, none is left."""
    request = rf.get(SEARCH)
    request.user = finance
    with CaptureQueriesContext(connection) as asked:
        for term in ("4711", "800_7", "RC1", "pay_1", "zzz"):
            list(search(request, term))
    found = {each["sql"] for each in asked.captured_queries if " FROM " in each["sql"] and "perm" not in each["sql"]}
    tables = {re.search(r'FROM "([a-z_]+)"', statement)[1] for statement in found}
    assert tables >= {
        "jobs", "receipts", "users", "payments", "refunds", "bank_transfers", "invoices", "invoice_payments",
        "credit_notes",
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for statement in found:
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Seq Scan" not in plan, f"{statement}\n{plan}"
