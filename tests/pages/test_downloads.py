"""What researchers take away: their own receipts, lines and usage, as CSV and XLSX."""

from __future__ import annotations

import csv
import io
from typing import Any

import openpyxl
import pytest

from audit.models import AuditLog
from billing.services.receipts import create_receipts, mark_paid
from core.context import Actor
from tests.factories import make_job

FILES = [
    "/receipts.csv",
    "/receipts.xlsx",
    "/receipt-lines.csv",
    "/receipt-lines.xlsx",
    "/usage.xlsx",
    "/receipts/1/lines.xlsx",
]


def table(response: Any) -> list[dict[str, Any]]:
    """The rows of either kind of file."""
    body = b"".join(response.streaming_content)
    if "csv" in response["Content-Type"]:
        return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    head, *rows = openpyxl.load_workbook(io.BytesIO(body)).active.values
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize("path", FILES)
def test_a_stranger_is_sent_to_sign_in(client: Any, db: None, path: str) -> None:
    assert client.get(path)["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_receipts_and_lines_are_the_readers_own(as_alice: Any, as_bob: Any, receipt: Any, kind: str) -> None:
    create_receipts(actor=Actor("bob"), username="bob")
    mine, lines = table(as_alice.get(f"/receipts.{kind}")), table(as_alice.get(f"/receipt-lines.{kind}"))
    assert {row["user"] for row in mine} == {row["user"] for row in lines} == {"alice"}
    assert [float(row["total"]) for row in mine] == [8.0, 20.0]
    assert {row["name"] for row in lines} == {"lattice", "census"}
    assert {row["name"] for row in table(as_bob.get(f"/receipt-lines.{kind}"))} == {"bobs-secret"}


def test_the_status_of_the_page_stays_with_the_files(as_alice: Any, receipt: Any) -> None:
    mark_paid(actor=Actor("fin"), receipt=receipt, method="transfer", tx_ref="A")
    page = as_alice.get("/receipts/?status=paid").content.decode()
    assert 'href="/receipts.csv?status=paid"' in page
    assert 'href="/receipt-lines.xlsx?status=paid"' in page
    assert [row["number"] for row in table(as_alice.get("/receipts.csv?status=paid"))] == [str(receipt)]
    assert [row["number"] for row in table(as_alice.get("/receipt-lines.csv?status=paid"))] == [str(receipt)]


def test_usage_as_xlsx_keeps_the_filter_and_keeps_names_as_text(as_alice: Any, jobs: None, days_ago: Any) -> None:
    make_job(job_name="=1+1", account="ministry", end_at=days_ago(1), job_id=503)
    assert 'href="/usage.xlsx?account=ministry"' in as_alice.get("/usage/?account=ministry").content.decode()
    rows = table(as_alice.get("/usage.xlsx?account=ministry"))
    assert [(row["job id"], row["name"], row["cost"], row["currency"]) for row in rows] == [
        ("502", "census", 20, "THB"), ("503", "=1+1", 20, "THB"),
    ]  # fmt: skip
    assert as_alice.get("/usage.xlsx?start=yesterday").status_code == 400


def test_an_empty_list_is_a_head_without_rows(as_alice: Any) -> None:
    assert table(as_alice.get("/receipts.xlsx")) == table(as_alice.get("/receipt-lines.csv")) == []


def test_ones_own_files_leave_no_entry_in_the_log_but_finances_do(as_alice: Any, as_finance: Any, receipt: Any) -> None:
    table(as_alice.get("/receipts.csv")), table(as_alice.get(f"/receipts/{receipt.pk}/lines.xlsx"))
    assert not AuditLog.objects.filter(action="export").exists()
    table(as_finance.get(f"/receipts/{receipt.pk}/lines.csv"))
    entries = AuditLog.objects.filter(action="export", actor="fin").order_by("id")
    assert [entry.status for entry in entries] == ["started", "done"]


@pytest.mark.parametrize("query", ["status=zzz", "bogus=1", "status=paid&bogus=1", "status=paid&status=void"])
@pytest.mark.parametrize("name", ["receipts.csv", "receipts.xlsx", "receipt-lines.csv", "receipt-lines.xlsx"])
def test_a_file_of_receipts_refuses_what_it_does_not_know(as_alice: Any, receipt: Any, name: str, query: str) -> None:
    answer = as_alice.get(f"/{name}?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert "status" in answer.content.decode()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("bogus=1", "bogus is no filter of this file; it has: view, "),
        ("view=zzz", "view is zzz; it may be: detail, aggregate, billed."),
        ("q=a&q=b", "q is given twice."),
        ("after=x", "after is no filter"),
    ],
)
def test_a_file_of_usage_refuses_what_it_does_not_know(as_alice: Any, jobs: None, query: str, words: str) -> None:
    for kind in ("csv", "xlsx"):
        answer = as_alice.get(f"/usage.{kind}?{query}")
        assert answer.status_code == 400
        assert words in answer.content.decode()


def test_the_lines_of_a_receipt_have_no_filter(as_alice: Any, receipt: Any) -> None:
    assert as_alice.get(f"/receipts/{receipt.pk}/lines.csv?status=paid").status_code == 400


def test_a_page_with_a_parameter_of_its_own_leads_to_files_without_it(as_alice: Any, receipt: Any) -> None:
    usage = as_alice.get("/usage/?account=physics&from=mail&after=x").content.decode()
    assert 'href="/usage.csv?account=physics"' in usage
    receipts = as_alice.get("/receipts/?status=pending&page=2&from=mail").content.decode()
    assert 'href="/receipts.csv?status=pending"' in receipts
    assert 'href="/receipt-lines.csv?status=pending"' in receipts


@pytest.mark.parametrize("path", ["/receipts/?status=zzz", "/usage/?view=zzz"])
def test_a_page_refuses_a_choice_that_there_is_not(as_alice: Any, receipt: Any, path: str) -> None:
    answer = as_alice.get(path)
    assert answer.status_code == 400
    assert "THB" not in answer.content.decode()


def test_the_number_of_a_page_that_is_none_shows_a_page(as_alice: Any, receipt: Any) -> None:
    assert [as_alice.get(f"/receipts/?page={page}").status_code for page in ("-1", "9", "x")] == [200, 200, 200]
