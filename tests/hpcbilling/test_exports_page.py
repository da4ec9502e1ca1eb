"""Exports in the console and by command: who may have which, and what comes of it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.conf import settings as project
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from audit.models import AuditLog
from billing.models import Receipt
from billing.services.receipts import create_receipts
from core.context import Actor
from core.exports import find
from tests.factories import account_tier, make_job
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db
EVERY = set(project.EXPORTS)
# Which exports a member of the group may take.
MAY = {
    "Finance": EVERY,
    "Auditor": EVERY,
    "Admin": EVERY,
    "Operator": set(),
    "Rates editor": set(),
    "Cashier": {"receipts", "paid_receipts", "pending_receipts", "void_receipts"},  # a site's own: billing.view_receipt
}


@pytest.fixture
def receipt(alice: Any) -> Receipt:
    account_tier("physics", "mu")
    make_job(job_name="=cmd|' /C calc'!A0", account="physics")
    return create_receipts(actor=Actor("alice"), username="alice", start=date(2026, 10, 1), end=date(2026, 10, 31))[0]


@pytest.fixture
def sign_in(make_user: Any) -> Any:
    def member(group: str) -> Client:
        from django.contrib.auth.models import Group, Permission

        if group == "Cashier":
            own = Group.objects.create(name=group)
            own.permissions.add(Permission.objects.get(codename="view_receipt", content_type__app_label="billing"))
        client = Client()
        user = make_user("member", role="admin", groups=[group])
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return member


def table(response: Any) -> list[dict[str, str]]:
    body = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(body, newline="")))


def log() -> list[tuple[str, str, str]]:
    rows = AuditLog.objects.filter(action="export").order_by("id")
    return [(row.actor, row.target, row.status) for row in rows]


# --- who may -----------------------------------------------------------------
@pytest.mark.parametrize("group", MAY)
def test_everybody_sees_and_gets_what_their_rights_allow_and_no_more(
    sign_in: Any, receipt: Receipt, group: str
) -> None:
    client = sign_in(group)
    assert client.get("/admin/exports/").status_code == (200 if MAY[group] else 403)
    assert ("/admin/exports/" in client.get("/admin/").content.decode()) == bool(MAY[group])
    got = {name for name in EVERY if client.post(f"/admin/exports/{name}/", {"format": "csv"}).status_code == 200}
    shown = {name for name in EVERY if client.get(f"/admin/exports/{name}/").status_code == 200}
    assert got == shown == MAY[group]
    assert {target for _actor, target, _status in log()} == MAY[group]


@pytest.mark.parametrize("path", ["/admin/exports/", "/admin/exports/receipts/"])
def test_researchers_and_strangers_are_sent_to_sign_in(client: Client, alice: Any, path: str) -> None:
    assert client.get(path).status_code == 302
    assert client.post(path, {"format": "csv"}).status_code == 302
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(path).status_code == 302
    assert client.post(path, {"format": "csv"}).status_code == 302
    assert log() == []


def test_an_export_that_is_none_is_a_404(sign_in: Any) -> None:
    assert sign_in("Finance").get("/admin/exports/nonsense/").status_code == 404


def test_a_download_needs_a_form_of_ours(make_user: Any, receipt: Receipt) -> None:
    client = Client(enforce_csrf_checks=True)
    user = make_user("fin", role="admin", groups=["Finance"])
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post("/admin/exports/receipts/", {"format": "csv"}).status_code == 403


# --- the form ----------------------------------------------------------------
def test_a_csv_streams_and_both_entries_name_who_took_it(sign_in: Any, receipt: Receipt) -> None:
    response = sign_in("Finance").post("/admin/exports/receipt_items/", {"format": "csv", "user": " Alice "})
    assert response["Content-Disposition"] == 'attachment; filename="receipt_items.csv"'
    assert log() == [("member", "receipt_items", "started")]  # the answer has begun, nothing is read yet
    (row,) = table(response)
    assert row["name"] == "'=cmd|' /C calc'!A0"
    assert log() == [("member", "receipt_items", "started"), ("member", "receipt_items", "done")]
    done = AuditLog.objects.get(action="export", status="done")
    assert (done.extra["rows"], done.extra["user"], done.ip) == (1, "alice", "127.0.0.1")
    assert done.request_id == response["X-Request-ID"]


def test_an_xlsx_is_a_workbook_with_planted_formulas_as_text(sign_in: Any, receipt: Receipt) -> None:
    days = {"start": "2026-10-01", "end": "2026-10-31"}
    response = sign_in("Finance").post("/admin/exports/usage/", {"format": "xlsx", **days})
    assert 'filename="usage-2026-10-01-2026-10-31.xlsx"' in response["Content-Disposition"]
    sheet = openpyxl.load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    head = [cell.value for cell in sheet[1]]
    cell = sheet[2][head.index("name")]
    assert (cell.value, cell.data_type) == ("=cmd|' /C calc'!A0", "s")
    assert sheet[2][head.index("cost")].value == 8
    assert log()[-1] == ("member", "usage", "done")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format": "csv", "start": "yesterday"}, "Write the day as"),
        ({"format": "csv", "start": "2026-02-02", "end": "2026-02-01"}, "ends before it begins"),
        ({"format": "csv", "status": "nonsense"}, "not one of the available choices"),
        ({"format": "csv", "user": "bbo"}, "There is no user bbo."),
        ({"later": "csv", "user": "bbo"}, "There is no user bbo."),
        ({"format": "exe"}, "Choose CSV or XLSX."),
        ({}, "Choose CSV or XLSX."),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_sent(
    sign_in: Any, receipt: Receipt, fields: dict[str, str], words: str
) -> None:
    response = sign_in("Finance").post("/admin/exports/receipts/", fields)
    assert response.status_code == 400
    assert words in text(response)
    assert log() == []


def test_only_filters_that_an_export_heeds_are_offered(sign_in: Any) -> None:
    client = sign_in("Finance")
    for name in EVERY:
        fields = set(client.get(f"/admin/exports/{name}/").context["form"].fields)
        assert fields == {"start", "end", *find(name).filters}


@pytest.mark.parametrize("language", ["en", "th"])
def test_the_pages_have_no_inline_style_and_speak_the_readers_language(sign_in: Any, language: str) -> None:
    from tests.pages.conftest import read

    client = sign_in("Finance")
    client.cookies[project.LANGUAGE_COOKIE_NAME] = language
    for path in ("/admin/exports/", *(f"/admin/exports/{name}/" for name in EVERY)):
        page = client.get(path)
        assert read(page).styles == read(page).inline_scripts == []
        assert ("ส่งออกข้อมูล" in text(page)) == (language == "th")


def test_every_export_is_whole(receipt: Receipt) -> None:
    """Names unique and lasting, one kind a column, every declared filter one that the filter knows."""
    for name in EVERY:
        export = find(name)
        names = [column.name for column in export.columns]
        assert export.name == name
        assert len(set(names)) == len(names)
        assert export.permissions
        assert ("status" in export.filters) == bool(export.statuses)
        money = [column for column in export.columns if column.kind == "money"]
        assert not money or "currency" in names


# --- the lists' own buttons ----------------------------------------------------
def test_the_buttons_of_the_lists_leave_the_same_trace(sign_in: Any, receipt: Receipt) -> None:
    client = sign_in("Finance")
    chosen = {"action": "export_csv", "_selected_action": [receipt.pk]}
    assert [row["number"] for row in table(client.post("/admin/billing/receipt/", chosen))] == [str(receipt)]
    entry = AuditLog.objects.order_by("id").first()
    assert entry
    assert len(table(client.post("/admin/audit/auditlog/", {**chosen, "_selected_action": [entry.pk]}))) == 1
    assert [target for _who, target, status in log() if status == "done"] == ["receipts", "audit_log"]


# --- the command ---------------------------------------------------------------
def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("export", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_writes_a_file_and_says_how_many_rows(receipt: Receipt, tmp_path: Path) -> None:
    file = tmp_path / "lines.xlsx"
    said = json.loads(run("receipt_items", "--start", "2026-01-01", "--out", str(file), "--format", "json"))
    assert said == {"export": "receipt_items", "format": "xlsx", "rows": 1, "file": str(file)}
    assert openpyxl.load_workbook(file).active.max_row == 2
    assert [path.name for path in tmp_path.iterdir()] == ["lines.xlsx"]
    assert file.stat().st_mode & 0o077 == 0
    assert log() == [("system", "receipt_items", "started"), ("system", "receipt_items", "done")]


def test_the_command_writes_to_standard_output_and_nothing_else_there(receipt: Receipt, bob: User) -> None:
    rows = list(csv.DictReader(io.StringIO(run("receipts", "--user", "alice", "--file-format", "csv"), newline="")))
    assert [row["number"] for row in rows] == [str(receipt)]
    assert list(csv.reader(io.StringIO(run("receipts", "--user", "bob")))) [1:] == []  # fmt: skip
    with pytest.raises(CommandError, match="There is no user bbo") as refused:
        run("receipts", "--user", "bbo")
    assert refused.value.returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("receipts", "--cluster", "x"),
        ("receipts", "--start", "2026-02-02", "--end", "2026-02-01"),
        ("receipts", "--status", "nonsense"),
        ("receipts", "--format", "json"),
    ],
)
def test_the_command_refuses_what_does_not_fit_with_exit_2(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    assert refused.value.returncode == 2
    assert log() == []


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(receipt: Receipt, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        run("receipts", "--out", str(tmp_path / "no" / "such" / "folder.csv"))
    (tmp_path / "taken.csv").mkdir()
    with pytest.raises(CommandError, match="cannot be written"):
        run("receipts", "--out", str(tmp_path / "taken.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["taken.csv"]


def test_an_unknown_export_is_a_wrong_call() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "export", "nonsense"],
        cwd=project.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "receipts" in done.stderr
