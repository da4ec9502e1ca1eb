"""Taking a receipt away as a PDF, and asking whether a paper is genuine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.conf import settings as project
from django.test import Client
from django.utils import translation

from billing.documents.qr import encode
from billing.models import Receipt, ReceiptItem
from billing.selectors.documents.paper import verify_url
from billing.services.receipts import mark_paid, void_receipt
from core.context import Actor
from tests.billing.test_receipt_pdf import needs_thai
from tests.pages.conftest import read, text

SUFFIXES = ["pdf", "th.pdf"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_stranger_is_sent_to_sign_in(client: Client, db: None, suffix: str) -> None:
    assert client.get(f"/receipts/1.{suffix}")["Location"] == f"/accounts/login/?next=/receipts/1.{suffix}"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_anothers_pdf_is_as_absent_as_one_that_never_was(as_bob: Client, receipt: Any, suffix: str) -> None:
    others, nobodys = as_bob.get(f"/receipts/{receipt.pk}.{suffix}"), as_bob.get(f"/receipts/999999.{suffix}")
    assert others.status_code == nobodys.status_code == 404
    assert text(others) == text(nobodys)


@pytest.mark.parametrize("suffix", ["pdf", pytest.param("th.pdf", marks=needs_thai)])
@pytest.mark.parametrize("who", ["as_alice", "as_finance"])
def test_the_owner_and_finance_get_a_file_with_its_number_for_a_name(
    request: pytest.FixtureRequest, receipt: Any, who: str, suffix: str
) -> None:
    response = request.getfixturevalue(who).get(f"/receipts/{receipt.pk}.{suffix}")
    assert (response.status_code, response["Content-Type"]) == (200, "application/pdf")
    assert response.content.startswith(b"%PDF-")
    language = "th" if suffix == "th.pdf" else "en"
    assert response["Content-Disposition"] == f'inline; filename="{receipt.document_number}-{language}.pdf"'
    assert "private" in response["Cache-Control"]


def test_staff_without_the_right_to_see_receipts_get_404(client: Client, make_user: Any, receipt: Any) -> None:
    operator = make_user("op", role="admin", groups=["Rates editor"])
    client.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(f"/receipts/{receipt.pk}.pdf").status_code == 404


def test_the_receipts_page_and_the_console_offer_both(as_alice: Client, as_finance: Client, receipt: Any) -> None:
    for page in (
        as_alice.get(f"/receipts/{receipt.pk}/"),
        as_finance.get(f"/admin/billing/receipt/{receipt.pk}/change/"),
    ):
        links = re.findall(r'href="(/receipts/\d+\.[a-z.]+)"', page.content.decode())
        assert links == [f"/receipts/{receipt.pk}.pdf", f"/receipts/{receipt.pk}.th.pdf"]


@pytest.mark.parametrize("language", ["en", "th"])
def test_without_a_font_thai_is_refused_in_words_and_english_offered(
    as_alice: Client, receipt: Any, settings: Any, tmp_path: Path, language: str
) -> None:
    settings.PDF_FONT_FOLDERS = [str(tmp_path)]
    as_alice.cookies[project.LANGUAGE_COOKIE_NAME] = language
    response = as_alice.get(f"/receipts/{receipt.pk}.th.pdf")
    assert response.status_code == 503
    assert "fonts-thai-tlwg" in text(response)
    assert (read(response).styles, read(response).inline_scripts) == ([], [])
    with translation.override(language):
        assert translation.gettext("This document cannot be made now") in text(response)
    assert f'href="/receipts/{receipt.pk}.pdf"' in response.content.decode()
    assert as_alice.get(f"/receipts/{receipt.pk}.pdf").status_code == 200


# --- is it genuine? --------------------------------------------------------------
GENUINE, CHANGED, NOT = "Genuine.", "Changed.", "Not genuine."


def ask(client: Client, number: object, digest: str) -> Any:
    response = client.get(f"/verify/?{urlencode({'number': number, 'hash': digest})}")
    assert response.status_code == 200
    return response


def answer(response: Any) -> str:
    found = re.search(r"<strong>(.+?)</strong>", response.content.decode())
    return found[1] if found else ""


def test_the_link_in_the_code_is_answered_without_signing_in(client: Client, receipt: Any) -> None:
    address = verify_url(Receipt.objects.get(pk=receipt.pk))
    assert address.startswith("http://testserver/verify/?number=")
    assert encode(address).side > 30
    response = client.get(address.removeprefix("http://testserver"))
    assert response.status_code == 200
    assert answer(response) == GENUINE
    assert "no-store" in response["Cache-Control"]


def test_the_page_itself_asks_for_number_and_hash(client: Client, db: None) -> None:
    response = client.get("/verify/")
    assert response.status_code == 200
    assert answer(response) == ""
    assert 'method="get"' in response.content.decode()
    assert '"/verify/"' in client.get("/playground/").content.decode(), "every page leads here"


def test_what_was_typed_from_paper_is_read_with_its_breaks_and_capitals(client: Client, receipt: Any) -> None:
    typed = f" {receipt.digest[:32].upper()} \r\n {receipt.digest[32:]} "
    assert answer(ask(client, f" {receipt.document_number} ", typed)) == GENUINE


def test_paying_or_voiding_leaves_it_genuine_and_unmentioned(client: Client, receipt: Any) -> None:
    before = text(ask(client, receipt.document_number, receipt.digest))
    mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="A")
    assert text(ask(client, receipt.document_number, receipt.digest)) == before
    other = Receipt.objects.exclude(pk=receipt.pk).get()
    void_receipt(actor=Actor("fin"), receipt=other, reason="x")
    assert answer(ask(client, other.document_number, other.digest)) == GENUINE


def test_an_unknown_number_a_wrong_hash_and_anothers_hash_get_one_answer(client: Client, receipt: Any) -> None:
    other = Receipt.objects.exclude(pk=receipt.pk).get()
    wrong = receipt.digest[:-1] + ("0" if receipt.digest[-1] != "0" else "1")
    asked = [("RC1999-000001", receipt.digest), (receipt.document_number, wrong), (receipt.document_number, other.digest),
             (receipt.document_number, "0" * 64), (receipt.pk, receipt.digest)]  # fmt: skip
    pages = []
    for number, digest in asked:
        response = ask(client, number, digest)
        assert answer(response) == NOT
        body = response.content.decode()
        pages.append(re.sub(r'value="[^"]*"|nonce="[^"]*"', "", body))
    assert len(set(pages)) == 1


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64, "a" * 63, "a" * 65, "a" * 16, "ａ" * 64])
def test_half_a_hash_is_asked_for_again_not_judged(client: Client, receipt: Any, digest: str) -> None:
    response = ask(client, receipt.document_number, digest)
    assert answer(response) == ""
    assert 'class="wrong"' in response.content.decode()


def test_a_receipt_without_a_hash_is_never_genuine(client: Client, receipt: Any) -> None:
    Receipt.objects.filter(pk=receipt.pk).update(digest="")
    assert answer(ask(client, receipt.document_number, "-" * 64)) == ""
    assert answer(ask(client, receipt.document_number, receipt.digest)) == NOT


@pytest.mark.parametrize("what", ["total", "line", "line gone"])
def test_what_was_changed_in_the_database_is_not_genuine_any_more(client: Client, receipt: Any, what: str) -> None:
    if what == "total":
        Receipt.objects.filter(pk=receipt.pk).update(total=receipt.total + 1)
    elif what == "line":
        ReceiptItem.objects.filter(receipt=receipt).update(cost=1)
    else:
        ReceiptItem.objects.filter(receipt=receipt).delete()
    assert answer(ask(client, receipt.document_number, receipt.digest)) == CHANGED
    assert answer(ask(client, receipt.document_number, "0" * 64)) == NOT


def test_no_answer_names_anybody_or_any_amount(client: Client, receipt: Any) -> None:
    for digest in (receipt.digest, "0" * 64):
        words = re.sub(r"[0-9a-f]{64}", "", text(ask(client, receipt.document_number, digest)))
        for secret in ("alice", "University", "8.00", "physics", str(receipt.issued_on.year), "501"):
            assert secret not in words.replace(str(receipt.document_number), ""), secret


def test_a_wrong_hash_costs_a_look_at_each_kind(client: Client, receipt: Any, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(3):
        ask(client, receipt.document_number, "0" * 64)
    with django_assert_num_queries(3):
        ask(client, "RC1999-000001", "0" * 64)


@pytest.mark.parametrize(("digest", "word"), [("", "เป็นเอกสารจริง"), ("0" * 64, "ไม่ใช่เอกสารจริง")])
def test_the_page_answers_in_thai(client: Client, receipt: Any, digest: str, word: str) -> None:
    client.cookies[project.LANGUAGE_COOKIE_NAME] = "th"
    assert answer(ask(client, receipt.document_number, digest or receipt.digest)) == word


def test_the_page_is_for_reading_only(client: Client, db: None) -> None:
    assert client.post("/verify/", {"number": "x"}).status_code == 405


# --- how often -----------------------------------------------------------------
@pytest.fixture
def minute() -> Any:
    """The clock stands, twenty seconds into a minute."""
    with time_machine.travel("2026-10-05T08:30:20Z", tick=False) as clock:
        yield clock


def test_one_address_may_ask_so_many_times_a_minute(client: Client, receipt: Any, settings: Any, minute: Any) -> None:
    settings.VERIFY_MAX_PER_MINUTE = 3
    for _ in range(3):
        ask(client, receipt.document_number, receipt.digest)
    busy = client.get(f"/verify/?number={receipt.document_number}&hash={receipt.digest}")
    assert (busy.status_code, busy["Retry-After"]) == (429, "40")
    assert GENUINE not in text(busy)
    assert "Try again in 40 seconds." in text(busy)
    minute.shift(40)
    assert answer(ask(client, receipt.document_number, receipt.digest)) == GENUINE


@pytest.mark.parametrize(
    ("other", "status"), [("192.0.2.8", 200), ("192.0.2.7", 429), ("2001:db8::9", 429), ("2001:db8:0:1::9", 200)]
)
def test_others_are_counted_by_themselves_and_ipv6_by_its_network(
    db: None, settings: Any, minute: Any, other: str, status: int
) -> None:
    settings.VERIFY_MAX_PER_MINUTE = 1
    for address in ("192.0.2.7", "2001:db8::1"):
        assert Client(REMOTE_ADDR=address).get("/verify/").status_code == 200
    assert Client(REMOTE_ADDR=other).get("/verify/").status_code == status


def test_the_refusal_is_told_in_thai_without_touching_the_database(
    client: Client, settings: Any, minute: Any, django_assert_num_queries: Any, db: None
) -> None:
    settings.VERIFY_MAX_PER_MINUTE = 1
    client.cookies[project.LANGUAGE_COOKIE_NAME] = "th"
    client.get("/verify/")
    with django_assert_num_queries(0):
        busy = client.get("/verify/")
    assert busy.status_code == 429
    assert "ถามบ่อยเกินไป" in text(busy)
    assert "no-store" in busy["Cache-Control"]
    assert (read(busy).styles, read(busy).inline_scripts) == ([], [])


def test_sixty_a_minute_are_let_by_unless_a_site_says_otherwise(client: Client, db: None, minute: Any) -> None:
    statuses = [client.get("/verify/").status_code for _ in range(61)]
    assert statuses == [200] * 60 + [429]
