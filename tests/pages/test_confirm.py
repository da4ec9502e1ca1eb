"""Pages that ask before an act: what goes back is not called like the act, and what is dangerous looks like it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings as project

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
