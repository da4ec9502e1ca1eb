"""Pages that ask before an act: what goes back is not called like the act, and what is dangerous looks like it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings as project

from billing.admin import receipts
from billing.services.receipts import mark_paid
from core.context import Actor
from core.words.wording import about
from tests.pages.conftest import text

LISTS = "/admin/billing/receipt/"


def ask(client: Any, receipt: Any, action: str) -> Any:
    return client.post(LISTS, {"action": action, "_selected_action": [receipt.pk]})


def test_a_void_says_what_becomes_of_the_jobs_and_looks_dangerous(as_finance: Any, receipt: Any) -> None:
    page = ask(as_finance, receipt, "void_action")
    assert "Their jobs can be billed again" in text(page)
    assert '<input type="submit" class="danger" name="confirm"' in page.content.decode()
    assert 'class="danger"' not in ask(as_finance, receipt, "mark_paid_action").content.decode()


@pytest.mark.parametrize("language", ["en", "th"])
def test_going_back_is_not_called_like_the_act(as_finance: Any, receipt: Any, language: str) -> None:
    """In Thai to void and to cancel are one word: "cancel 1 receipt" stood beside "cancel"."""
    as_finance.cookies[project.LANGUAGE_COOKIE_NAME] = language
    page = ask(as_finance, receipt, "void_action").content.decode()
    button = re.search(r'name="confirm" value="([^"]+)"', page)[1]
    back = re.search(r'name="confirm".*?<a href="[^"]+">([^<]+)</a>', page, re.DOTALL)[1]
    assert back.split()[0] not in button
    assert back == {"en": "Go back", "th": "ย้อนกลับ"}[language]


@pytest.mark.parametrize("language", ["en", "th"])
def test_a_receipt_that_moved_meanwhile_is_named_once(
    as_finance: Any, receipt: Any, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    void = receipts.void_receipt

    def paid_first(**asked: Any) -> bool:
        mark_paid(actor=Actor("bank"), receipt=asked["receipt"], method="manual", tx_ref="slip")
        return void(**asked)

    monkeypatch.setattr(receipts, "void_receipt", paid_first)
    as_finance.cookies[project.LANGUAGE_COOKIE_NAME] = language
    sent = {"action": "void_action", "_selected_action": [receipt.pk], "confirm": "1", "text": "wrong"}
    answer = as_finance.post(LISTS, sent, follow=True)
    said, *_done = [str(each) for each in answer.context["messages"]]
    if language == "en":
        assert said == f"{receipt} is paid and cannot become void."
    assert said.count(str(receipt)) == 1
    assert ("paid" in said) == (language == "en"), "its state is told in the reader's language"


@pytest.mark.parametrize(
    ("thing", "words", "said"),
    [
        ("RC-2026-1", "RC-2026-1 is paid.", "RC-2026-1 is paid."),
        ("RC-2026-1", "It is paid.", "RC-2026-1: It is paid."),
        ("RC-2026-1", "RC-2026-12 is paid.", "RC-2026-1: RC-2026-12 is paid."),
        ("INV-1", "INV-1-2 is paid.", "INV-1: INV-1-2 is paid."),
        ("#5", "Refund #5 is done.", "Refund #5 is done."),
        ("#5", "Refund #55 is done.", "#5: Refund #55 is done."),
        ("INV-1", "ใบแจ้งหนี้INV-1ชำระแล้ว", "ใบแจ้งหนี้INV-1ชำระแล้ว"),
    ],
)
def test_what_is_told_of_a_row_names_it_once(thing: str, words: str, said: str) -> None:
    assert about(thing, words) == said
