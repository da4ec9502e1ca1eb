"""The books in the console: periods, chart, batches for the ERP, bad debts; each act asks first and needs its right."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction
from django.test import Client

from audit.models import AuditLog
from billing.ledger.chart import DEFAULTS
from billing.models import (
    AccountingPeriod,
    ExportColumn,
    ExportedEntry,
    JournalEntry,
    JournalExport,
    LedgerAccount,
    WriteOff,
)
from billing.selectors.journal_export import FIELDS, columns_of_export, rows_of_export
from billing.services.ledger.chart import ensure_chart
from billing.services.ledger.journal import post_journal
from billing.services.ledger.journal_exports import export_journal
from billing.services.months import close_month
from core.periods import today
from tests.billing.invoicing import FIN, fee, finalized, make_customer
from tests.races import at_once

BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def project(db: None) -> Any:
    return make_customer()


@pytest.fixture
def as_finance(make_user: Any) -> Client:
    client = Client()
    client.force_login(make_user("fin", role="admin", groups=["Finance"]), backend=BACKEND)
    return client


@pytest.fixture
def as_auditor(make_user: Any) -> Client:
    client = Client()
    client.force_login(make_user("aud", role="admin", groups=["Auditor"]), backend=BACKEND)
    return client


def body(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def test_every_role_has_an_account_with_a_thai_name_from_the_start(db: None, settings: Any) -> None:
    known = {row.role: row for row in LedgerAccount.objects.all()}
    assert set(DEFAULTS) <= set(known)
    assert {f"cash.{name}" for name in settings.PAYMENT_PROVIDERS} <= set(known)
    assert all(row.name_th for row in known.values())
    LedgerAccount.objects.filter(role="receivable").update(number="11300")
    ensure_chart()  # after every migrate
    assert LedgerAccount.objects.get(role="receivable").number == "11300"


def test_a_batch_holds_each_entry_once_and_is_the_same_file_for_ever(project: Any) -> None:
    fee(project, "107")
    invoice = finalized(project)
    batch = export_journal(actor=FIN, until=invoice.issue_date)
    assert batch is not None
    assert batch.entries == 1
    assert export_journal(actor=FIN, until=invoice.issue_date) is None
    lines = list(rows_of_export(batch))
    LedgerAccount.objects.update(number="9999")
    ExportColumn.objects.all().delete()
    assert list(rows_of_export(batch)) == lines
    names = [column.name for column in columns_of_export(batch)]
    told = [dict(zip(names, line, strict=True)) for line in lines]
    assert [(row["account"], row["debit"], row["credit"]) for row in told] == [
        ("1130", Decimal(107), Decimal(0)), ("4130", Decimal(0), Decimal(107)),
    ]  # fmt: skip
    assert told[0]["month_earned"] == ""
    assert told[1]["month_earned"] == "2026-10"
    with pytest.raises(DatabaseError), transaction.atomic():
        ExportedEntry.objects.create(entry=JournalEntry.objects.get(), export=batch)
    for sql in ("DELETE FROM journal_exports", "UPDATE journal_exports SET entries = 7"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)


def test_a_batch_ends_with_its_month(project: Any) -> None:
    fee(project, "100")
    with time_machine.travel(datetime(2026, 11, 2, tzinfo=UTC), tick=False):
        finalized(project)
        assert export_journal(actor=FIN, until=date(2026, 10, 1)) is None
        batch = export_journal(actor=FIN, until=date(2026, 11, 1))
    assert batch is not None
    assert (batch.first_day, batch.last_day) == (date(2026, 11, 2), date(2026, 11, 30))


@pytest.mark.django_db(transaction=True)
def test_two_who_export_at_once_make_one_batch() -> None:
    fee(make_customer(), "100")
    invoice = finalized(make_customer())
    post_journal(actor=FIN)
    made = at_once(4, lambda _n: export_journal(actor=FIN, until=invoice.issue_date))
    assert len([batch for batch in made if batch]) == 1
    assert ExportedEntry.objects.count() == JournalEntry.objects.count() == 1


def test_finance_exports_in_the_console_under_its_own_heads(project: Any, as_finance: Client) -> None:
    fee(make_customer("=cmd", account=""), "100")
    finalized(make_customer("=cmd", account=""))
    ExportColumn.objects.all().delete()
    for position, (field, head) in enumerate((("account", "รหัสบัญชี"), ("debit", "เดบิต"), ("customer", "ลูกค้า"))):
        ExportColumn.objects.create(position=position, field=field, head=head)
    month = f"{today():%Y-%m}"
    page = as_finance.post("/admin/billing/journalexport/new/", {"until": month})
    assert page.status_code == 200
    assert not JournalExport.objects.exists()
    as_finance.post("/admin/billing/journalexport/new/", {"until": month, "confirm": "1"})
    batch = JournalExport.objects.get()
    response = as_finance.get(f"/admin/billing/journalexport/{batch.pk}.csv")
    rows = list(csv.reader(io.StringIO(body(response).lstrip("\ufeff"))))
    assert rows == [["รหัสบัญชี", "เดบิต", "ลูกค้า"], ["1130", "100.00", "'=cmd"], ["4130", "0.00", "'=cmd"]]
    assert as_finance.get(f"/admin/billing/journalexport/{batch.pk}.xlsx").status_code == 200
    assert as_finance.get("/admin/billing/journalexport/").status_code == 200
    assert {"journal_export", "export"} <= set(AuditLog.objects.values_list("action", flat=True))


def test_heads_that_are_formulas_are_refused_and_every_field_may_be_chosen(as_finance: Client) -> None:
    refused = as_finance.post("/admin/billing/exportcolumn/add/", {"position": 5, "field": "entry", "head": "=1"})
    assert refused.status_code == 200
    assert not ExportColumn.objects.filter(position=5).exists()
    for position, name in enumerate(FIELDS):
        made = as_finance.post(
            "/admin/billing/exportcolumn/add/", {"position": 900 + position, "field": name, "head": name}
        )
        assert made.status_code == 302
    assert AuditLog.objects.filter(action="object_add", entity_type="exportcolumn").count() == len(FIELDS)


def test_accounts_are_renumbered_but_roles_stay(as_finance: Client) -> None:
    account = LedgerAccount.objects.get(role="receivable")
    as_finance.post(
        f"/admin/billing/ledgeraccount/{account.pk}/change/",
        {"role": "other", "number": "11-3000", "name": "Receivables", "name_th": "ลูกหนี้", "cost_centre": "HPC"},
    )
    account.refresh_from_db()
    assert (account.role, account.number, account.cost_centre) == ("receivable", "11-3000", "HPC")
    assert AuditLog.objects.filter(action="object_change", entity_type="ledgeraccount").exists()
    assert as_finance.get("/admin/billing/ledgeraccount/add/").status_code == 403


def test_periods_are_closed_and_opened_after_a_look(project: Any, make_user: Any) -> None:
    fee(project, "100")
    user = make_user("fin", role="admin", groups=["Finance"])
    with time_machine.travel(datetime(2026, 11, 2, 5, tzinfo=UTC), tick=False):
        finalized(project)
        post_journal(actor=FIN)
    with time_machine.travel(datetime(2026, 12, 2, 5, tzinfo=UTC), tick=False):
        client = Client()
        client.force_login(user, backend=BACKEND)
        address, act = "/admin/billing/accountingperiod/", "/admin/billing/accountingperiod/act/"
        assert "its usage is not closed yet" in client.get(address).text
        client.post(act, {"month": "2026-11", "act": "close"})
        assert not AccountingPeriod.objects.exists()
        close_month(actor=FIN, month=date(2026, 11, 1), note="ok", accept_open=True)
        page = client.post(act, {"month": "2026-11", "act": "close"})
        assert "1130 Trade receivables" in page.text
        assert not AccountingPeriod.objects.exists()
        client.post(act, {"month": "2026-11", "act": "close", "note": "audited", "confirm": "1"})
        row = AccountingPeriod.objects.get()
        assert (row.status, row.note, row.closed_by) == ("closed", "audited", "fin")
        client.post(act, {"month": "2026-11", "act": "open", "confirm": "1"})
        row.refresh_from_db()
        assert row.status == "closed"  # without a reason
        client.post(act, {"month": "2026-11", "act": "open", "note": "forgot", "confirm": "1"})
        row.refresh_from_db()
        assert row.status == "open"
        assert client.post(act, {"month": "nonsense", "act": "open"}).status_code == 302


def test_an_invoice_is_written_off_and_taken_back_after_a_look(project: Any, as_finance: Client) -> None:
    fee(project, "100")
    invoice = finalized(project)
    act = {"action": "write_off_action", "_selected_action": invoice.pk}
    page = as_finance.post("/admin/billing/invoice/", act)
    assert page.status_code == 200
    assert not WriteOff.objects.exists()
    as_finance.post("/admin/billing/invoice/", {**act, "confirm": "1", "text": "bankrupt"})
    assert WriteOff.objects.get().amount == 100
    shown = as_finance.get(f"/admin/billing/invoice/{invoice.pk}/change/").text
    assert "take_back_write_off_action" in shown
    assert 'value="write_off_action"' not in shown
    back = {"action": "take_back_write_off_action", "_selected_action": invoice.pk, "confirm": "1", "text": "mistake"}
    as_finance.post("/admin/billing/invoice/", back)
    invoice.refresh_from_db()
    assert invoice.amount_due == 100
    assert as_finance.get("/admin/billing/writeoff/").status_code == 200


def test_the_page_of_an_entry_shows_numbers_and_names(project: Any, as_finance: Client) -> None:
    fee(project, "100")
    finalized(project)
    post_journal(actor=FIN)
    page = as_finance.get(f"/admin/billing/journalentry/{JournalEntry.objects.get().pk}/change/").text
    assert "1130 Trade receivables" in page
    assert "4130 Revenue: plan fees" in page
    assert as_finance.get("/admin/billing/journalentry/?q=Institute").status_code == 200


def test_auditors_look_and_change_nothing(project: Any, as_auditor: Client) -> None:
    fee(project, "100")
    invoice = finalized(project)
    post_journal(actor=FIN)
    for page in ("journalentry", "ledgeraccount", "accountingperiod", "journalexport", "writeoff", "exportcolumn"):
        assert as_auditor.get(f"/admin/billing/{page}/").status_code == 200, page
    assert as_auditor.get("/admin/reports/revenue/").status_code == 200
    month = f"{invoice.issue_date:%Y-%m}"
    assert as_auditor.post("/admin/billing/journalexport/new/", {"until": month, "confirm": 1}).status_code == 403
    act = {"month": month, "act": "close", "confirm": 1}
    assert as_auditor.post("/admin/billing/accountingperiod/act/", act).status_code == 403
    off = {"action": "write_off_action", "_selected_action": invoice.pk, "confirm": 1, "text": "x"}
    as_auditor.post("/admin/billing/invoice/", off)
    assert not WriteOff.objects.exists()
    assert not JournalExport.objects.exists()


def test_who_has_no_business_with_the_books_sees_none_of_them(make_user: Any) -> None:
    client = Client()
    client.force_login(make_user("op", role="admin", groups=["Operator"]), backend=BACKEND)
    for path in ("reports/", "reports/revenue/", "billing/journalentry/", "billing/accountingperiod/",
                 "billing/journalexport/new/"):  # fmt: skip
        assert client.get(f"/admin/{path}").status_code == 403, path
