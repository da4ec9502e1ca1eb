"""A PDF of very many jobs: made by long work, followed on a page of one's own, the same bytes as a small one's."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as project
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.models import Organisation, Project, ProjectLead, Work, WorkPiece
from accounts.services.work import KEPT, MOST_OPEN, TooMuch, run_next, start_work
from audit.models import AuditLog
from billing.documents.receipts import receipt_pdf
from billing.models import Receipt
from billing.services.receipts import create_receipts, mark_paid
from billing.work import pdf
from billing.work.pdf import ask_for_pdf
from core.context import Actor
from tests.billing.test_receipt_pdf import needs_thai
from tests.factories import make_job
from tests.pages.conftest import read, text
from tests.races import at_once

ALICE = Actor("alice")


@pytest.fixture(autouse=True)
def _one_job_is_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "LONG", 0)


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def ask(client: Client, receipt: Any, suffix: str = "pdf", **fields: str) -> str:
    """Where the order leads."""
    response = client.post(f"/receipts/{receipt.pk}.{suffix}", fields)
    assert response.status_code == 302
    return str(response["Location"])


# --- asking ------------------------------------------------------------------
@pytest.mark.parametrize(("suffix", "language"), [("pdf", "en"), pytest.param("th.pdf", "th", marks=needs_thai)])
@pytest.mark.parametrize("who", ["as_alice", "as_finance"])
def test_the_file_is_the_one_that_a_small_receipt_gives_at_once(
    request: pytest.FixtureRequest, receipt: Any, who: str, suffix: str, language: str
) -> None:
    client = request.getfixturevalue(who)
    where = ask(client, receipt, suffix)
    assert where == f"/prepared/{Work.objects.get().pk}/"
    assert "It waits for its turn" in text(client.get(where))
    assert client.get(f"{where}file/").status_code == 404, "it is not made yet"
    run_next()
    page = client.get(where)
    assert "It is done." in text(page)
    response = client.get(f"{where}file/")
    assert body(response) == receipt_pdf(receipt=Receipt.objects.get(pk=receipt.pk), language=language)
    assert response["Content-Type"] == "application/pdf"
    name = f"{receipt.document_number}-{language}.pdf"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert "no-store" in response["Cache-Control"]
    assert AuditLog.objects.filter(action="work_fetch").count() == 1


def test_up_to_the_limit_a_pdf_is_made_at_once(as_alice: Client, receipt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "LONG", 1)
    assert receipt.items.count() == 1
    assert as_alice.get(f"/receipts/{receipt.pk}.pdf").content.startswith(b"%PDF-")
    assert ask(as_alice, receipt) == f"/receipts/{receipt.pk}.pdf"
    assert not Work.objects.exists()
    assert 'method="post" action="/receipts/' not in as_alice.get(f"/receipts/{receipt.pk}/").content.decode()


def test_following_a_link_begins_nothing_and_offers_it(as_alice: Client, receipt: Any) -> None:
    for method in (as_alice.get, as_alice.head):
        assert method(f"/receipts/{receipt.pk}.pdf").status_code == 200
    assert not Work.objects.exists()
    page = as_alice.get(f"/receipts/{receipt.pk}.pdf")
    assert "Make the PDF" in text(page)
    assert (read(page).styles, read(page).inline_scripts) == ([], [])
    where = ask(as_alice, receipt)
    assert as_alice.get(f"/receipts/{receipt.pk}.pdf")["Location"] == where, "what is under way is shown"


def test_the_receipts_page_begins_it_with_one_click(as_alice: Client, receipt: Any) -> None:
    page = as_alice.get(f"/receipts/{receipt.pk}/").content.decode()
    forms = re.findall(r'method="post" action="(/receipts/[^"]+)"', page)
    assert forms == [f"/receipts/{receipt.pk}.pdf", f"/receipts/{receipt.pk}.th.pdf"]


def test_asked_again_while_it_is_under_way_or_kept_it_is_the_same(as_alice: Client, receipt: Any) -> None:
    where = ask(as_alice, receipt)
    assert ask(as_alice, receipt) == where
    as_alice.cookies[project.LANGUAGE_COOKIE_NAME] = "th"
    assert ask(as_alice, receipt) == where, "the language of the page is not that of the document"
    run_next()
    assert ask(as_alice, receipt) == where, "the file is here"
    assert ask(as_alice, receipt, anew="1") != where
    assert Work.objects.count() == 2


def test_of_two_persons_each_has_their_own(as_alice: Client, as_finance: Client, receipt: Any) -> None:
    assert ask(as_alice, receipt) != ask(as_finance, receipt)


def test_what_was_paid_since_is_another_document(as_alice: Client, receipt: Any) -> None:
    where = ask(as_alice, receipt)
    run_next()
    mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="A")
    later = ask(as_alice, receipt)
    assert later != where
    run_next()
    assert body(as_alice.get(f"{later}file/")) != body(as_alice.get(f"{where}file/"))


@pytest.mark.django_db(transaction=True)
def test_asked_many_times_at_once_it_is_one_work(receipt: Any) -> None:
    made = at_once(5, lambda _index: ask_for_pdf(actor=ALICE, receipt=receipt, language="en").pk)
    assert len(set(made)) == 1
    assert Work.objects.count() == 1


def test_nobody_asks_without_end(as_alice: Client, receipt: Any) -> None:
    for number in range(MOST_OPEN):
        start_work(actor=ALICE, kind="receipt_pdf", title="x", parameters={"receipt": receipt.pk, "n": number,
                   "document": "en", "number": "x"})  # fmt: skip
    with pytest.raises(TooMuch):
        ask_for_pdf(actor=ALICE, receipt=receipt, language="en")
    assert ask(as_alice, receipt) == "/prepared/"
    assert "Wait until one of them has ended" in text(as_alice.get("/prepared/"))


def test_without_a_thai_font_nothing_is_queued(as_alice: Client, receipt: Any, settings: Any, tmp_path: Any) -> None:
    settings.PDF_FONT_FOLDERS = [str(tmp_path)]
    assert as_alice.post(f"/receipts/{receipt.pk}.th.pdf").status_code == 503
    assert not Work.objects.exists()


# --- whose it is ---------------------------------------------------------------
@pytest.mark.parametrize("what", ["", "file/", "cancel/"])
def test_anothers_work_is_as_absent_as_none(
    as_alice: Client, as_bob: Client, as_finance: Client, receipt: Any, what: str
) -> None:
    where = ask(as_alice, receipt)
    if what == "file/":
        run_next()
    for other in (as_bob, as_finance):
        method = other.post if what == "cancel/" else other.get
        theirs, nobodys = method(where + what), method("/prepared/999999/" + what)
        assert theirs.status_code == nobodys.status_code == 404
        assert text(theirs) == text(nobodys)
        assert str(receipt.document_number) not in text(other.get("/prepared/"))
    assert Work.objects.get().status != "canceled"


@pytest.mark.parametrize("path", ["/prepared/", "/prepared/1/", "/prepared/1/file/"])
def test_a_stranger_is_sent_to_sign_in(client: Client, db: None, path: str) -> None:
    assert client.get(path)["Location"] == f"/accounts/login/?next={path}"


def test_nobody_asks_for_anothers_receipt(as_bob: Client, receipt: Any) -> None:
    assert as_bob.post(f"/receipts/{receipt.pk}.pdf").status_code == 404
    assert not Work.objects.exists()


def test_whoever_leads_the_project_has_it_as_long_as_they_do(as_bob: Client, alice: Any, bob: Any) -> None:
    led = Project.objects.create(organisation=Organisation.objects.create(name="Science"), name="Cold")
    led.accounts.create(account="cold")
    lead = [ProjectLead.objects.create(project=led, user=each) for each in (alice, bob)][1]
    make_job(account="cold")
    receipt = create_receipts(actor=ALICE, username="alice", project=led.pk)[0]
    where = ask(as_bob, receipt)
    run_next()
    assert as_bob.get(f"{where}file/").status_code == 200
    lead.delete()
    assert as_bob.get(f"{where}file/").status_code == 404


def test_whoever_may_not_see_it_any_more_gets_none_made(as_finance: Client, finance: Any, receipt: Any) -> None:
    where = ask(as_finance, receipt)
    finance.groups.clear()
    run_next()
    assert Work.objects.get().status == "failed"
    assert "may not do it any more" in text(as_finance.get(where))


# --- following it ----------------------------------------------------------------
def test_the_page_says_how_far_it_is_and_looks_again_by_itself(as_alice: Client, receipt: Any) -> None:
    where = ask(as_alice, receipt)
    assert "<progress" not in as_alice.get(where).content.decode(), "what waits has no bar"
    Work.objects.update(status="running", percent=40, done=1200)
    page = as_alice.get(where)
    assert 'data-watch="running:1200:40"' in page.content.decode()
    assert "waiting.js" in page.content.decode()
    assert "http-equiv" not in page.content.decode()
    assert (read(page).styles, read(page).inline_scripts) == ([], [])
    for words in ("40 %", "1,200 done", "Look again"):
        assert words in text(page)
    assert "40 %" in text(as_alice.get("/prepared/"))


def test_progress_is_told_while_jobs_are_set(receipt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.documents.receipts.TELL", 1)
    told: list[tuple[int, int]] = []
    receipt_pdf(receipt=receipt, language="en", on_progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 1)]


def test_what_failed_says_why_and_can_be_asked_again(
    as_alice: Client, receipt: Any, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ask(as_alice, receipt)
    Work.objects.update(parameters={**Work.objects.get().parameters, "document": "th"})
    folders, settings.PDF_FONT_FOLDERS = settings.PDF_FONT_FOLDERS, [str(tmp_path)]
    run_next()
    settings.PDF_FONT_FOLDERS = folders
    page = as_alice.get(where)
    assert "fonts-thai-tlwg" in text(page)
    assert "Try again" in text(page)
    again = re.findall(r'action="(/receipts/[^"]+)"', page.content.decode())
    assert again == [f"/receipts/{receipt.pk}.th.pdf"]
    assert ask(as_alice, receipt, anew="1") != where


def test_it_can_be_taken_back_while_it_waits(as_alice: Client, receipt: Any) -> None:
    where = ask(as_alice, receipt)
    assert "Take it back" in text(as_alice.get(where))
    as_alice.post(f"{where}cancel/")
    assert Work.objects.get().status == "canceled"
    assert run_next() is None
    assert as_alice.get(f"{where}cancel/").status_code == 405


def test_a_file_is_kept_a_week_and_then_goes_by_itself(as_alice: Client, receipt: Any, capsys: Any) -> None:
    where = ask(as_alice, receipt)
    run_next()
    Work.objects.update(finished_at=timezone.now() - KEPT - timedelta(minutes=1))
    assert as_alice.get(f"{where}file/").status_code == 404
    page = text(as_alice.get(where))
    assert "The file is not kept any more" in page
    assert "Make it anew" in page
    assert ask(as_alice, receipt) != where, "what is gone is made again"
    Work.objects.exclude(finished_at=None).update(finished_at=timezone.now() - KEPT - timedelta(minutes=1))
    Work.objects.filter(status="queued").delete()
    with suppress(SystemExit):  # 3: some of the periodic work has nothing to reach here
        call_command("run_due", "--format", "json")
    assert not WorkPiece.objects.exists()


def test_an_empty_list_says_what_will_be_here(as_alice: Client) -> None:
    assert "Nothing is being prepared" in text(as_alice.get("/prepared/"))


def test_titles_and_pages_are_in_the_language_of_the_reader(as_alice: Client, receipt: Any) -> None:
    where = ask(as_alice, receipt)
    assert f"Receipt {receipt.document_number} as PDF (English)" in text(as_alice.get(where))
    assert f"Receipt {receipt.document_number} as PDF (English)" in text(as_alice.get("/prepared/"))


def test_pages_ask_little(as_alice: Client, receipt: Any, django_assert_max_num_queries: Any) -> None:
    where = ask(as_alice, receipt)
    run_next()
    for path in (where, "/prepared/", f"/receipts/{receipt.pk}/"):
        with django_assert_max_num_queries(15):
            assert as_alice.get(path).status_code == 200
