"""The page of parts: for those who build pages, complete and alive."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project

from billing.models import ReceiptStatus
from core.icons import PATHS
from core.templatetags.hpc import LOOKS
from tests.pages.conftest import read, text
from tests.pages.test_markup import english_left
from tests.pages.test_weight import MOST_BYTES, MOST_QUERIES

TOKENS = Path(project.BASE_DIR) / "static" / "hpcbilling" / "tokens.css"
# Names of tokens, icons and files stay as they are.
NAMES = {*re.findall(r"[A-Za-z]{3,}", TOKENS.read_text()), *PATHS, "static", "hpcbilling", "core", "icons", "bench", "bob",
         "chem", "finance", "css", "tokens"}  # fmt: skip


def test_people_who_build_pages_see_it_and_nobody_else(
    client: Any, as_alice: Any, as_finance: Any, settings: Any
) -> None:
    assert [each.get("/style/").status_code for each in (client, as_alice, as_finance)] == [404, 404, 200]
    settings.DEBUG = True
    assert as_alice.get("/style/").status_code == 200


def test_it_shows_every_colour_icon_and_state(as_finance: Any) -> None:
    page = as_finance.get("/style/").content.decode()
    words = text(as_finance.get("/style/"))
    assert all(f"--{name}" in words for name in re.findall(r"--([\w-]+):", TOKENS.read_text()))
    assert all(path in page for path in PATHS.values())
    assert all(str(status.label) in words for status in ReceiptStatus if status != "pending")
    assert {icon for _tone, icon in LOOKS.values()} <= set(PATHS)


@pytest.mark.parametrize("language", ["en", "th"])
def test_it_keeps_the_rules_of_every_page(as_finance: Any, language: str, django_assert_max_num_queries: Any) -> None:
    as_finance.cookies[project.LANGUAGE_COOKIE_NAME] = language
    with django_assert_max_num_queries(MOST_QUERIES):
        response = as_finance.get("/style/")
    page = read(response)
    assert (page.styles, page.inline_scripts) == ([], [])
    assert len(response.content) < MOST_BYTES
    ids = re.findall(r' id="([^"]+)"', response.content.decode())
    assert len(ids) == len(set(ids))
    if language == "th":
        assert english_left(text(response)) - NAMES == set()
