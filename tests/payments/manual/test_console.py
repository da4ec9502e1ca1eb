"""Finance's pages: the slip, the decision that says what it changes, lines with suggestions, and the import."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from billing.models import Receipt
from core.context import Actor
from payments.admin import statement_import
from payments.models import BankLine, BankTransfer
from payments.services.lines import set_aside_line
from payments.services.transfers import accept_transfer
from tests.payments.manual.conftest import FIN, PNG, imported, line, manual, report, row, state, statement

pytestmark = pytest.mark.django_db
TRANSFERS, LINES = "/admin/payments/banktransfer/", "/admin/payments/bankline/"


@pytest.fixture
def console(client: Any, finance: Any) -> Any:
    client.force_login(finance)
    return client


@pytest.fixture
def transfer(receipt: Receipt) -> BankTransfer:
    return report(manual(receipt), slip=PNG)


def words(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    return html.unescape(response.content.decode()).replace("\u00a0", " ")


def test_the_list_shows_money_status_and_slip_and_is_searched(console: Any, transfer: BankTransfer) -> None:
    number = str(transfer.payment.receipt)
    for query in ("", "?q=REF0001", f"?q={number}", "?q=alice", "?status__exact=submitted"):
        page = words(console.get(TRANSFERS + query))
        assert f"{TRANSFERS}{transfer.pk}/slip/" in page, query
        assert '<span class="num">THB 8.00</span>' in page
    assert f"{TRANSFERS}{transfer.pk}/slip/" not in words(console.get(TRANSFERS + "?q=nobody"))


def test_the_list_does_not_read_the_slips(
    console: Any, transfer: BankTransfer, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(12) as made:
        console.get(TRANSFERS)
    assert not [query for query in made.captured_queries if '"bank_transfers"."slip",' in query["sql"]]


@pytest.mark.parametrize(
    ("content", "kind", "attached"),
    [(PNG, "image/png", False), (b"\xff\xd8\xff...", "image/jpeg", False), (b"%PDF-1.7 x", "application/pdf", True)],
)
def test_a_slip_can_do_nothing_but_be_seen_or_saved(
    console: Any, receipt: Receipt, content: bytes, kind: str, attached: bool
) -> None:
    transfer = report(manual(receipt), slip=content)
    answer = console.get(f"{TRANSFERS}{transfer.pk}/slip/")
    assert (answer.content, answer["Content-Type"]) == (content, kind)
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer["Cache-Control"]
    assert ("attachment" in answer.get("Content-Disposition", "")) is attached
    page = words(console.get(f"{TRANSFERS}{transfer.pk}/change/"))
    assert ('<img class="slip"' in page) is not attached


def test_slips_are_for_people_who_may_view_transfers(client: Any, make_user: Any, transfer: BankTransfer) -> None:
    address = f"{TRANSFERS}{transfer.pk}/slip/"
    assert client.get(address).status_code == 302
    for groups, status in ((["Rates editor"], 403), (["Operator"], 403), (["Auditor"], 200)):
        client.force_login(make_user(groups[0].replace(" ", ""), role="admin", groups=groups))
        assert client.get(address).status_code == status, groups
    client.force_login(transfer.payment.user)
    assert client.get(address).status_code == 302


def test_there_is_no_slip_where_none_was_sent(console: Any, receipt: Receipt) -> None:
    assert console.get(f"{TRANSFERS}{report(manual(receipt)).pk}/slip/").status_code == 404


@pytest.mark.parametrize(
    ("amount", "effect", "after"),
    [
        ("8.00", "becomes paid.", ("paid", "succeeded", 800, 0)),
        ("5.00", "stays unpaid: THB 3.00 is missing", ("pending", "needs_review", 500, 500)),
        ("10.50", "becomes paid; THB 2.50 above it stays a credit.", ("paid", "succeeded", 1050, 250)),
    ],
)
def test_accepting_says_what_it_changes_before_it_does(
    console: Any, receipt: Receipt, transfer: BankTransfer, amount: str, effect: str, after: Any
) -> None:
    address = f"{TRANSFERS}{transfer.pk}/accept/"
    assert 'value="8.00"' in words(console.get(address))
    asked = {"amount": amount, "note": "on the statement"}
    assert effect in words(console.post(address, asked))
    assert state(receipt)[:2] == ("pending", "pending")
    assert console.post(address, {**asked, "confirm": "1"}).status_code == 302
    assert state(receipt) == after
    again = console.post(address, {**asked, "confirm": "1"}, follow=True)
    assert "decided already" in words(again)


@pytest.mark.parametrize("asked", [{"amount": "8.005", "note": "n"}, {"amount": "0", "note": "n"}, {"amount": "8"}])
def test_an_amount_or_note_that_cannot_be(console: Any, receipt: Receipt, transfer: BankTransfer, asked: Any) -> None:
    answer = console.post(f"{TRANSFERS}{transfer.pk}/accept/", {**asked, "confirm": "1"})
    assert (answer.status_code, state(receipt)[:2]) == (400, ("pending", "pending"))


def test_a_rejection_is_confirmed_with_a_reason(console: Any, transfer: BankTransfer) -> None:
    form = {"action": "reject_action", "_selected_action": [transfer.pk]}
    assert "REF0001" in words(console.post(TRANSFERS, form))
    console.post(TRANSFERS, {**form, "confirm": "1", "text": "not there"})
    transfer.refresh_from_db()
    assert (transfer.status, transfer.review_note, transfer.reviewed_by) == ("rejected", "not there", "fin")


def test_a_payer_from_finance_cannot_decide_about_own_money(client: Any, alice: Any, transfer: BankTransfer) -> None:
    from django.contrib.auth.models import Group

    alice.role = "admin"
    alice.save()
    alice.groups.set(Group.objects.filter(name="Finance"))
    client.force_login(alice)
    assert "/accept/" not in words(client.get(f"{TRANSFERS}{transfer.pk}/change/"))
    client.post(f"{TRANSFERS}{transfer.pk}/accept/", {"amount": "8.00", "note": "n", "confirm": "1"})
    client.post(TRANSFERS, {"action": "reject_action", "_selected_action": [transfer.pk], "confirm": "1", "text": "n"})
    it = line("8.00")
    client.post(f"{LINES}{it.pk}/match/", {"receipt": transfer.payment.receipt_id, "note": "n"})
    transfer.refresh_from_db()
    assert transfer.status == "submitted"


def test_an_auditor_sees_and_changes_nothing(
    client: Any, auditor: Any, receipt: Receipt, transfer: BankTransfer
) -> None:
    it = line("8.00")
    client.force_login(auditor)
    assert "/accept/" not in words(client.get(f"{TRANSFERS}{transfer.pk}/change/"))
    assert "/match/" not in words(client.get(f"{LINES}{it.pk}/change/"))
    assert "import/" not in words(client.get(LINES))
    for address in (f"{TRANSFERS}{transfer.pk}/accept/", f"{LINES}{it.pk}/match/", f"{LINES}import/"):
        assert client.post(address, {"note": "n"}).status_code == 403
    client.post(LINES, {"action": "set_aside_action", "_selected_action": [it.pk], "confirm": "1", "text": "n"})
    it.refresh_from_db()
    assert (it.status, state(receipt)[0]) == ("open", "pending")


def test_lines_show_their_best_suggestion(console: Any, transfer: BankTransfer) -> None:
    line("8.00", reference="REF0001")
    page = words(console.get(LINES))
    assert f"{transfer.payment.receipt} · alice" in page
    assert "same reference" in page


def test_a_page_of_lines_takes_as_many_queries_as_one_line(
    console: Any, transfer: BankTransfer, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    line("8.00")
    with CaptureQueriesContext(connection) as one:
        console.get(LINES)
    imported(*[row("8.00", f"n{number}") for number in range(40)])
    with django_assert_num_queries(len(one)):
        console.get(LINES)


def test_a_line_is_matched_from_its_page_after_saying_what_changes(
    console: Any, receipt: Receipt, transfer: BankTransfer
) -> None:
    it = line("5.00", reference="REF0001")
    page = words(console.get(f"{LINES}{it.pk}/change/"))
    address = f"{LINES}{it.pk}/match/"
    assert f"{address}?transfer={transfer.pk}" in page
    shown = words(console.get(f"{address}?transfer={transfer.pk}"))
    assert "stays unpaid: THB 3.00 is missing" in shown
    empty = console.post(address, {"transfer": transfer.pk, "note": " "})
    assert (empty.status_code, state(receipt)[1]) == (400, "pending")
    console.post(address, {"transfer": transfer.pk, "note": "on the statement"})
    assert state(receipt) == ("pending", "needs_review", 500, 500)
    assert "decided already" in words(console.post(address, {"transfer": transfer.pk, "note": "n"}, follow=True))


def test_a_receipt_that_is_not_suggested_is_matched_by_its_number(console: Any, receipt: Receipt) -> None:
    it = line("10.50", "no hint")
    address = f"{LINES}{it.pk}/match/"
    shown = words(console.get(address, {"number": str(receipt).lower()}))
    assert "THB 2.50 above it stays a credit" in shown
    console.post(address, {"receipt": receipt.pk, "note": "asked the payer"})
    assert state(receipt) == ("paid", "succeeded", 1050, 250)
    other = line("1.00", "other")
    gone = console.get(f"{LINES}{other.pk}/match/", {"number": "RC0"}, follow=True)
    assert "no receipt or invoice with this number" in words(gone)


def test_a_number_with_a_report_leads_to_its_transfer(console: Any, transfer: BankTransfer) -> None:
    it = line("8.00", "no hint")
    shown = words(console.get(f"{LINES}{it.pk}/match/", {"number": str(transfer.payment.receipt)}))
    assert f'name="transfer" value="{transfer.pk}"' in shown


def test_tying_an_accepted_transfer_says_that_no_money_moves(console: Any, transfer: BankTransfer) -> None:
    second = report(transfer.payment, 300, reference="TWICE")
    accept_transfer(actor=FIN, transfer=transfer, received_minor=800, note="n")
    it = line("8.00", reference="REF0001")
    assert "no money moves" in words(console.get(f"{LINES}{it.pk}/match/?transfer={transfer.pk}"))
    paid = console.get(f"{LINES}{it.pk}/match/?receipt={transfer.payment.receipt_id}", follow=True)
    assert "there is nothing to pay" in words(paid)
    said = words(console.get(f"{LINES}{it.pk}/match/?transfer={second.pk}"))
    assert "is paid already; THB 8.00 becomes a credit" in said


def test_lines_are_set_aside_and_opened_again_with_a_reason(console: Any) -> None:
    it = line("55000.00", "salary")
    for action, status in (("set_aside_action", "ignored"), ("reopen_action", "open")):
        form = {"action": action, "_selected_action": [it.pk]}
        assert "salary" in words(console.post(LINES, form))
        console.post(LINES, {**form, "confirm": "1", "text": "why"})
        it.refresh_from_db()
        assert it.status == status
    set_aside_line(actor=Actor("x"), line=it, note="n")
    assert "/match/" not in words(console.get(f"{LINES}{it.pk}/change/"))


def upload(*rows: str, **fields: Any) -> dict[str, Any]:
    return {"bank": "kbank", "file": SimpleUploadedFile("may.csv", statement(*rows), "text/csv"), **fields}


def test_a_statement_is_shown_first_and_stored_after_confirmation(console: Any, transfer: BankTransfer) -> None:
    shown = console.post(f"{LINES}import/", upload(row("8.00", reference="REF0001"), row("3.00")))
    page = words(shown)
    assert "2 new lines would be stored." in page
    assert "Same reference" in page
    assert not BankLine.objects.exists()
    digest = shown.context["preview"].sha256
    assert "2 lines imported." in words(console.post(f"{LINES}import/", {"confirm": digest}, follow=True))
    assert BankLine.objects.filter(bank="KBANK", imported_by="fin").count() == 2
    again = console.post(f"{LINES}import/", {"confirm": digest}, follow=True)
    assert "choose it again" in words(again)
    assert BankLine.objects.count() == 2


def test_another_tab_cannot_make_finance_store_what_it_did_not_see(console: Any) -> None:
    seen = console.post(f"{LINES}import/", upload(row("8.00"))).context["preview"].sha256
    console.post(f"{LINES}import/", upload(row("9.00")))
    assert "Another file was chosen" in words(console.post(f"{LINES}import/", {"confirm": seen}, follow=True))
    assert not BankLine.objects.exists()


def test_faults_are_listed_and_nothing_can_be_confirmed(console: Any) -> None:
    answer = console.post(f"{LINES}import/", upload(row("8.00"), row("x")))
    page = html.unescape(answer.content.decode())
    assert answer.status_code == 400
    assert "Row 3, column Deposit" in page
    assert 'name="confirm"' not in page


@pytest.mark.parametrize("fields", [{"bank": ""}, {"file": ""}, {"file": SimpleUploadedFile("a.csv", b"x")}])
def test_an_upload_that_is_no_statement(console: Any, fields: Any) -> None:
    assert console.post(f"{LINES}import/", upload(row(), **fields)).status_code == 400


def test_large_files_are_sent_to_the_command(console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement_import, "MOST_BYTES", 20)
    answer = console.post(f"{LINES}import/", upload(row()))
    assert "import_bank_statement" in answer.content.decode()
