"""Reports of the books in the console and over the API: pages, files, the rows behind a figure, and who may see them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from billing.reports.base import all_reports
from core.periods import month_start, today
from tests.billing.invoicing import fee, finalized, make_customer, price, use
from tests.billing.test_journal import yearly


@pytest.fixture
def project(db: None) -> Any:
    return make_customer()


@pytest.fixture
def as_finance(make_user: Any) -> Client:
    client = Client()
    user = make_user("fin", role="admin", groups=["Finance"])
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("language", ["en", "th"])
def test_every_report_opens_with_its_files_in_both_languages(project: Any, as_finance: Client, language: str) -> None:
    price()
    use(project, 2)
    fee(project, "100")
    yearly(project)
    finalized(project)
    as_finance.cookies["django_language"] = language
    assert as_finance.get("/admin/reports/").status_code == 200
    for report in all_reports():
        address = f"/admin/reports/{report.name}/"
        page = as_finance.get(address, {"start": "2026-01", "end": "2027-12"} if report.period == "months" else {})
        assert page.status_code == 200, report.name
        for line in page.context["lines"]:
            assert as_finance.get(line["url"]).status_code == 200, line
        for kind in ("csv", "xlsx"):
            response = as_finance.get(f"{address}?file={kind}")
            body = b"".join(response.streaming_content)  # type: ignore[attr-defined]
            assert response.status_code == 200
            if kind == "csv":
                assert body.decode().lstrip("\ufeff").splitlines()[0] == ",".join(c.name for c in report.columns)
    assert as_finance.get("/admin/reports/nothing/").status_code == 404
    assert as_finance.get("/admin/reports/revenue/?start=2026-13").status_code == 400
    assert as_finance.get("/admin/reports/revenue/rows/?of=x").status_code == 400


def test_a_person_reads_the_customers_name_and_a_file_has_its_uuid(project: Any, as_finance: Client) -> None:
    fee(project, "100")
    finalized(project)
    uuid, name = str(project.organisation.uuid), project.organisation.name
    page = as_finance.get("/admin/reports/ageing/")
    ((line),) = page.context["lines"]
    assert (line["cells"][0][0], len(line["cells"])) == (name, len(page.context["columns"]))
    body = page.content.decode()
    assert f">{name}</a>" in body, "it leads to the documents"
    assert f">{uuid}<" not in body
    listed = b"".join(as_finance.get("/admin/reports/ageing/?file=csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert uuid in listed


@pytest.mark.parametrize(("name", "months"), [("recurring", 12), ("revenue", 2)])
def test_a_report_says_which_months_it_shows_unasked(db: None, as_finance: Client, name: str, months: int) -> None:
    form = as_finance.get(f"/admin/reports/{name}/").context["form"]
    start, end = form.cleaned_data["start"], form.cleaned_data["end"]
    assert end == month_start(today())
    assert (end.year - start.year) * 12 + end.month - start.month + 1 == months


def test_sums_stand_under_their_columns(db: None, as_finance: Client) -> None:
    for name in ("One", "Two"):
        customer = make_customer(name, account="")
        fee(customer, "100")
        finalized(customer)
    page = as_finance.get("/admin/reports/ageing/")
    ((*_rest, total, currency),) = page.context["totals"]
    assert (total, currency) == (("200.00", True), ("THB", False))
    assert [number for _label, number in page.context["columns"]][1:] == [
        number for _text, number in page.context["totals"][0]
    ][1:]


def test_customers_names_are_no_formulas(db: None, as_finance: Client) -> None:
    fee(make_customer("=HYPERLINK(1)"), "100")
    finalized(make_customer("=HYPERLINK(1)"))
    body = b"".join(as_finance.get("/admin/reports/ageing/?file=csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert "'=HYPERLINK(1)" in body


def test_the_api_tells_the_same_as_the_console_and_staff_only(project: Any, as_finance: Client, make_user: Any) -> None:
    fee(project, "100.5")
    invoice = finalized(project)
    names = [each["name"] for each in as_finance.get("/api/v1/reports").json()["results"]]
    assert names == [report.name for report in all_reports()]
    (row,) = as_finance.get("/api/v1/reports/revenue?start=2026-10&end=2026-10").json()["results"]
    assert (row["month"], row["kind"], row["net"], row["currency"]) == ("2026-10", "fees", "100.50", "THB")
    (entry,) = as_finance.get(row["rows_url"]).json()["results"]
    assert (entry["amount"], entry["document"]) == ("100.50", invoice.invoice_number)
    uuid = project.organisation.uuid
    (aged,) = as_finance.get(f"/api/v1/reports/ageing?organisation={uuid}").json()["results"]
    assert (aged["who"], aged["total"]) == (str(uuid), "100.50")
    assert b"100.50" in b"".join(as_finance.get("/api/v1/reports/ageing.csv").streaming_content)  # type: ignore[attr-defined]
    for bad in ("revenue?start=2026-13", "revenue?nonsense=1", "revenue?cursor=WzFd1", "ageing?currency=XXQ"):
        assert as_finance.get(f"/api/v1/reports/{bad}").status_code == 400, bad
    for absent in ("nothing", "revenue.pdf"):
        assert as_finance.get(f"/api/v1/reports/{absent}").status_code == 404
    (posted,) = as_finance.get("/api/v1/journal").json()["results"]
    assert posted["postings"] == [{"debit": "receivable", "credit": "revenue.fees", "amount": "100.50"}]
    balance = as_finance.get("/api/v1/journal/trial-balance").json()["results"]
    assert {(each["account"], each["debit"], each["credit"]) for each in balance} == {
        ("1130", "100.50", "0.00"), ("4130", "0.00", "100.50"),
    }  # fmt: skip
    alice = Client()
    alice.force_login(make_user("alice"), backend="django.contrib.auth.backends.ModelBackend")
    for path in ("reports", "reports/revenue", "reports/revenue.csv", "journal", "journal/trial-balance"):
        assert alice.get(f"/api/v1/{path}").status_code == 403, path
        assert Client().get(f"/api/v1/{path}").status_code == 401, path
