"""A researcher from the filter to the paper, in Thai on a phone and in English at a desk; and with the keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from billing.models import Receipt
from payments.models import Payment
from tests.conftest import PASSWORD
from tests.fakes.providers import Providers
from tests.payments.rigs import configure, new_receipt, running

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EVERYWHERE = pytest.mark.parametrize(("language", "width"), [("en", 1440), ("th", 390)])
WAYS = ["stripe.card", "omise.promptpay", "razorpay.checkout", "dummy.page"]


@pytest.fixture
def fakes(settings: Any, live_server: Any) -> Iterator[Providers]:
    with running() as started:
        configure(settings, started)
        started.pump.to(f"{live_server.url}/payments/webhooks/")
        yield started


def enter(visit: Any, language: str, width: int) -> Any:
    person = visit()
    person.page.set_viewport_size({"width": width, "height": 900})
    person.sign_in("alice")
    person.page.context.add_cookies([{"name": "django_language", "value": language, "url": person.base}])
    return person


@EVERYWHERE
@pytest.mark.parametrize("way", WAYS)
def test_a_receipt_is_paid_and_its_paper_fetched(
    visit: Any, alice: Any, fakes: Providers, way: str, language: str, width: int
) -> None:
    receipt = new_receipt()
    person = enter(visit, language, width)
    person.go(receipt.get_absolute_url())
    assert person.overflow() == 0
    person.page.click(f"button[value='{way}']")
    match way:
        case "stripe.card":
            person.page.click("button:text-is('Pay by card')")  # their page
        case "omise.promptpay":
            person.page.locator("img.qr").wait_for()
            assert person.overflow() == 0
            fakes.omise.pay(Payment.objects.get().external_payment_id)
        case "razorpay.checkout":
            person.page.click("main form button[type=submit]")
            person.page.click("button:text-is('Pay by card')")
        case _:
            person.page.click("main button[value=succeed]")
    person.page.wait_for_selector("text=Thank you, it is paid" if language == "en" else "text=ขอบคุณ")
    assert Receipt.objects.get().status == "paid"
    assert person.page.get_attribute("html", "lang") == language

    person.go(receipt.get_absolute_url())
    link = person.page.locator(f"a[href='/receipts/{receipt.pk}{'.th' if language == 'th' else ''}.pdf']")
    assert link.is_visible()
    paper = person.page.context.request.get(person.base + link.get_attribute("href"))
    assert paper.body().startswith(b"%PDF-")
    assert [text for text in person.complaints if text.startswith(person.base)] == [], "on our own pages"


def test_with_the_keyboard_alone(visit: Any, usage: None) -> None:
    """From the sign-in to created receipts without a pointer, and the focus is always to be seen."""
    alice = visit()
    keys = alice.page.keyboard
    alice.go("/accounts/login/")
    alice.page.focus("#id_username")
    keys.type("alice")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    alice.page.wait_for_url(f"{alice.base}/")

    keys.press("Tab")
    assert "skip" in str(alice.page.evaluate("document.activeElement.className")), "the first stop leads past the menu"
    keys.press("Enter")
    assert alice.page.evaluate("document.activeElement.id") == "main"
    _walk(alice, "a[href='/receipts/new/']")
    keys.press("Enter")
    alice.page.wait_for_url("**/receipts/new/**")
    alice.go("/receipts/new/?start=&end=")
    _walk(alice, "main form[method=post] button")
    keys.press("Enter")
    alice.page.wait_for_url("**/receipts/")
    assert Receipt.objects.count() == 2
    assert alice.complaints == []


def _walk(person: Any, selector: str) -> None:
    """Tab until ``selector`` has the focus; each stop on the way shows where it is."""
    for _step in range(60):
        person.page.keyboard.press("Tab")
        seen = person.page.evaluate(
            """() => { const here = document.activeElement, style = getComputedStyle(here);
            return here === document.body || style.outlineStyle !== "none" || style.boxShadow !== "none"; }"""
        )
        where = person.page.evaluate("document.activeElement.outerHTML.slice(0, 80)")
        assert seen, f"no focus to be seen on {where}"
        if person.page.evaluate(f"document.activeElement.matches({selector!r})"):
            return
    raise AssertionError(f"{selector} cannot be reached with the keyboard")
