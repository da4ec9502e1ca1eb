"""The PDF of a receipt with very many jobs: asked for, left, found again, taken away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accounts.models import Work
from accounts.services.work import run_next
from billing.documents.receipts import receipt_pdf
from billing.services.receipts import create_receipts
from billing.work import pdf
from core.context import Actor
from tests.browser.test_accessibility import speak, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("language", "theme", "width"), [("en", "dark", 1440), ("th", "light", 390)])
def test_it_is_made_while_somebody_does_something_else(
    visit: Any, usage: None, monkeypatch: pytest.MonkeyPatch, language: str, theme: str, width: int
) -> None:
    monkeypatch.setattr(pdf, "LONG", 3)
    receipt = max(create_receipts(actor=Actor("alice"), username="alice"), key=lambda each: each.items.count())
    person = visit(color_scheme=theme)
    person.page.set_viewport_size({"width": width, "height": 900})
    person.sign_in("alice")
    speak(person, language)
    person.go(receipt.get_absolute_url())
    assert person.overflow() == 0
    person.page.locator("main .actions form button").first.click()
    person.page.wait_for_url("**/prepared/*/")
    where = person.page.url.removeprefix(person.base)
    assert person.overflow() == 0
    assert violations(person, where) == [], "it waits"
    Work.objects.update(status="running", percent=40, done=1200)
    assert violations(person, where) == [], "it is being done"
    assert person.page.locator("progress").get_attribute("value") == "40"
    person.go("/usage/")
    Work.objects.update(status="queued", percent=None)
    person.page.click("details.me summary")
    person.page.click(".me .menu a[href='/prepared/']")
    person.page.click("main tbody a")
    run_next()
    person.page.locator("a[download]").wait_for()  # the page looks again by itself
    assert person.overflow() == 0
    assert violations(person, where) == [], "it is done"
    with person.page.expect_download() as caught:
        person.page.click("a[download]")
    content = Path(caught.value.path()).read_bytes()
    assert content == receipt_pdf(receipt=receipt, language="en")
    assert violations(person, "/prepared/") == []
    assert violations(person, f"/receipts/{receipt.pk}.th.pdf") == [], "what offers to make the other one"
    assert person.complaints == []
