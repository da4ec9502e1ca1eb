"""The menus: every entry of the main one is seen, the account's opens and closes with a mouse and with the keyboard."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Member, MemberRole
from tests.browser.addresses import CUT
from tests.browser.test_stories import lead

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OPEN = "details.me[open]"
WIDTHS = (360, 390, 480, 600, 768, 900, 1024, 1180, 1440)


def opened(visit: Any, **options: Any) -> Any:
    person = visit(**options)
    person.sign_in("alice")
    person.page.click("details.me summary")
    assert person.page.locator(OPEN).count() == 1
    return person


def focused(person: Any) -> str:
    return str(person.page.evaluate("document.activeElement.tagName + '.' + document.activeElement.className"))


def test_escape_closes_it_and_the_focus_is_where_it_was(visit: Any, alice: Any) -> None:
    person = opened(visit)
    person.page.keyboard.press("Tab")
    assert focused(person).startswith("A")
    person.page.keyboard.press("Escape")
    assert person.page.locator(OPEN).count() == 0
    assert focused(person).startswith("SUMMARY")
    person.page.keyboard.press("Enter")
    assert person.page.locator(OPEN).count() == 1, "the same key opens it again"
    assert person.complaints == []


def test_a_click_elsewhere_closes_it_and_one_inside_does_not(visit: Any, alice: Any) -> None:
    person = opened(visit)
    person.page.locator(".me .menu").click(position={"x": 2, "y": 2})
    assert person.page.locator(OPEN).count() == 1
    person.page.mouse.click(200, 500)
    assert person.page.locator(OPEN).count() == 0


def test_it_closes_when_the_keyboard_has_left_it(visit: Any, alice: Any) -> None:
    person = opened(visit)
    for _each in range(person.page.locator(".me .menu :is(a, button)").count() + 1):
        person.page.keyboard.press("Tab")
    assert person.page.locator(OPEN).count() == 0


def test_its_links_are_followed(visit: Any, alice: Any) -> None:
    person = opened(visit, has_touch=True)
    person.page.click(".me .menu a[href='/prepared/']")
    person.page.wait_for_url("**/prepared/")


def test_without_the_script_the_button_alone_opens_and_closes_it(visit: Any, alice: Any) -> None:
    person = opened(visit, java_script_enabled=False)
    person.page.click("details.me summary")
    assert person.page.locator(OPEN).count() == 0


@pytest.mark.parametrize("username", ["alice", "root"])
def test_every_entry_of_the_main_menu_is_seen_at_every_width(
    visit: Any, alice: Any, superuser: Any, username: str
) -> None:
    """For somebody who has all of them, and for staff; a menu that scrolls without a bar hides its end."""
    project = lead(username, "physics")
    Member.objects.create(
        organisation=project.organisation, user={"alice": alice, "root": superuser}[username], role=MemberRole.OWNER
    )
    person = visit()
    person.sign_in(username)
    for language in ("en", "th"):
        person.page.click(f"button[value={language}]")
        for width in WIDTHS:
            person.page.set_viewport_size({"width": width, "height": 800})
            entries = person.page.locator(".nav a")
            assert entries.count() == (7 if username == "root" else 6)
            assert person.page.evaluate(CUT) == [], (language, width)
            lines = Counter(entries.evaluate_all("all => all.map(a => Math.round(a.getBoundingClientRect().top))"))
            assert len(lines) == 1 or min(lines.values()) > 1, f"{language}, {width}: none stands alone on a line"
            assert person.overflow() == 0, (language, width)


def test_the_menu_of_the_console_shows_where_one_is(visit: Any, superuser: Any) -> None:
    """On a phone its lists wrap; scrolled sideways without a bar, the one that is open was out of sight."""
    root = visit()
    root.sign_in("root")
    for width in (390, 1440):
        root.page.set_viewport_size({"width": width, "height": 900})
        for path in ("/admin/", "/admin/audit/auditlog/"):
            root.go(path)
            box = root.page.locator(".console-nav a[aria-current]").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            menu = root.page.locator(".console-nav")
            assert menu.evaluate("e => e.scrollWidth - e.clientWidth") == 0
            assert root.overflow() == 0


def test_the_proof_of_a_month_shows_its_money_on_a_phone(visit: Any, usage: None, superuser: Any) -> None:
    root = visit()
    root.sign_in("root")
    root.page.set_viewport_size({"width": 390, "height": 900})
    month = timezone.localdate()
    root.go(f"/admin/billing/closedmonth/{month:%Y-%m}/")
    cells = root.page.locator("table.proof :is(tbody, tfoot) td").all()
    assert cells
    for cell in cells:
        box = cell.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    assert "Money (THB)" in root.page.locator("table.proof tfoot td").last.evaluate(
        "e => getComputedStyle(e, '::before').content"
    )
    assert root.overflow() == 0
