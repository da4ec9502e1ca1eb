"""The console's lists on a phone: cards of label and value, and nothing to be moved sideways."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.services.receipts import create_receipts
from core.context import Actor
from tests.billing.invoicing import make_customer
from tests.billing.subscribers import plan
from tests.billing.test_journal import yearly
from tests.browser.test_stories import lead
from tests.factories import make_jobs

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LISTS = ["/admin/billing/receipt/", "/admin/usage/job/", "/admin/audit/auditlog/", "/admin/accounts/user/"]
TABLES = ["/admin/", "/admin/exports/", "/admin/billing/closedmonth/", "/admin/payments/bankline/",
          "/admin/billing/rateversion/what-if/?start=2026-10-01&end=2026-10-31&mu.cpu=2"]  # fmt: skip


@pytest.fixture
def boss(visit: Any, superuser: Any, usage: None) -> Any:
    create_receipts(actor=Actor("alice"), username="alice")
    person = visit()
    person.page.set_viewport_size({"width": 390, "height": 900})
    person.sign_in(superuser.get_username())
    return person


def sideways(person: Any) -> list[str]:
    """Tables that are wider than what shows them."""
    return list(
        person.page.evaluate("""[...document.querySelectorAll("main table, #content table")]
        .filter((table) => table.scrollWidth > table.parentElement.clientWidth + 1).map((table) => table.className)""")
    )


@pytest.mark.parametrize("language", ["en", "th"])
def test_rows_are_cards_whose_values_have_names(boss: Any, language: str) -> None:
    boss.page.context.add_cookies([{"name": "django_language", "value": language, "url": boss.base}])
    for path in LISTS:
        boss.go(path)
        assert boss.overflow() == 0, path
        assert sideways(boss) == [], path
        row = boss.page.locator("#result_list tbody tr").first
        names = row.locator("td[data-label]:not([data-blank])").evaluate_all("cells => cells.map(c => c.dataset.label)")
        assert len(names) > 2, path
        assert all(names), path
        lefts = row.locator("td[data-label]:not([data-blank])").evaluate_all(
            "cells => cells.map(c => Math.round(c.getBoundingClientRect().left))"
        )
        assert len(set(lefts)) == 1, f"{path}: one below the other"
        shown = row.locator("td[data-label]").first.evaluate("c => getComputedStyle(c, '::before').content")
        assert shown == f'"{names[0]}"'
        sorting = boss.page.locator("#result_list thead a:visible")
        assert sorting.count() > 0, f"{path}: it can still be sorted"


@pytest.mark.parametrize("path", TABLES)
def test_other_tables_fold_too(boss: Any, path: str) -> None:
    boss.go(path)
    assert boss.overflow() == 0
    assert sideways(boss) == []


def test_on_a_wide_screen_it_is_a_table(boss: Any) -> None:
    boss.page.set_viewport_size({"width": 1440, "height": 900})
    boss.go(LISTS[0])
    cell = boss.page.locator("#result_list tbody td[data-label]").first
    assert cell.evaluate("c => getComputedStyle(c).display") == "table-cell"
    assert cell.evaluate("c => getComputedStyle(c, '::before').content") in ("none", "normal")


def test_a_row_is_chosen_and_acted_upon_as_on_a_wide_screen(boss: Any) -> None:
    boss.go(LISTS[0])
    boss.page.locator("#result_list tbody .action-select").first.check()
    boss.page.select_option("select[name=action]", index=1)
    boss.page.click("#changelist .actions button[type=submit]")
    boss.page.wait_for_load_state()
    assert boss.overflow() == 0


def test_kinds_of_alerts_are_all_in_sight(boss: Any) -> None:
    boss.go("/alerts/new/")
    rights = boss.page.locator(".tabs a").evaluate_all("tabs => tabs.map(t => t.getBoundingClientRect().right)")
    assert len(rights) > 2
    assert max(rights) <= 390


def test_a_list_without_rows_says_so(boss: Any) -> None:
    boss.go("/admin/billing/receipt/?q=nobody")
    assert boss.page.locator(".no-rows").inner_text().startswith("Nothing fits")
    boss.go("/admin/payments/bankline/")
    assert "There is nothing here yet" in boss.page.locator(".no-rows").inner_text()
    assert boss.page.locator("#changelist .actions").count() == 0


def test_a_name_without_a_break_scrolls_no_page_sideways(visit: Any, alice: Any) -> None:
    account = "a" * 90
    project = lead("alice", account)
    make_jobs(3, account=account, job_name="n" * 90, end_at=timezone.now() - timedelta(days=1))
    (receipt,) = create_receipts(actor=Actor("alice"), username="alice", project=project.pk)
    (job,) = make_jobs(1, account=account, end_at=timezone.now() - timedelta(days=1))
    person = visit()
    person.sign_in("alice")
    for width in (390, 900, 1280):
        person.page.set_viewport_size({"width": width, "height": 900})
        for path in (
            "/", f"/usage/?account={account}", "/usage/?view=aggregate", f"/usage/{job.pk}/",
            "/receipts/new/?start=&end=", receipt.get_absolute_url(), f"/projects/{project.pk}/",
        ):  # fmt: skip
            person.go(path)
            assert person.overflow() == 0, (width, path)


def test_a_short_label_stands_on_one_line_beside_a_long_value(visit: Any, alice: Any) -> None:
    """A page of Thai breaks words without spaces wherever it must, so a label gave up its last letter."""
    of_a_plan = plan("pro").limits
    of_a_plan.create(metric="requests", window="hour", limit=1_000)
    of_a_plan.create(metric="tokens", limit=1_000_000)
    person = visit()
    person.page.set_viewport_size({"width": 390, "height": 900})
    person.sign_in("alice")
    person.page.context.add_cookies([{"name": "django_language", "value": "th", "url": person.base}])
    person.go("/subscriptions/new/")
    cell = person.page.locator("td[data-label='โควตา']").first
    assert float(cell.evaluate("c => parseFloat(getComputedStyle(c, '::before').height)")) < 30
    assert cell.bounding_box()["height"] > 30, "its value takes more than one line"


@pytest.mark.parametrize("language", ["en", "th"])
def test_the_head_of_the_console_leaves_room_for_the_page(boss: Any, language: str) -> None:
    boss.page.context.add_cookies([{"name": "django_language", "value": language, "url": boss.base}])
    boss.go("/admin/billing/receipt/")
    assert boss.page.locator(".console-nav").evaluate("e => e.getBoundingClientRect().bottom") < 260
    rights = boss.page.locator("#result_list thead th:visible").evaluate_all(
        "ths => ths.map(th => th.getBoundingClientRect().right)"
    )
    assert len(rights) > 5
    assert max(rights) <= 390, "every way to sort is in sight"


def test_what_stands_below_a_field_does_not_touch_it(boss: Any) -> None:
    boss.go("/admin/billing/taxrule/add/")
    field, button = boss.page.locator("#id_tax").bounding_box(), boss.page.locator(".help a.button").bounding_box()
    assert button["y"] >= field["y"] + field["height"] + 4


@pytest.mark.parametrize("width", [390, 1280])
def test_a_report_keeps_apart_from_its_filters_and_within_the_page(boss: Any, width: int) -> None:
    yearly(make_customer())
    boss.page.set_viewport_size({"width": width, "height": 900})
    boss.go("/admin/reports/recurring/?start=2026-10&end=2026-10")
    filters, table = boss.page.locator(".export-form").bounding_box(), boss.page.locator("table.report").bounding_box()
    assert table["y"] >= filters["y"] + filters["height"] + 16
    assert boss.overflow() == 0
    assert width < 1280 or table["x"] + table["width"] <= 1280


def test_a_day_is_no_matter_of_the_browsers_zone_and_a_moment_is(visit: Any, superuser: Any) -> None:
    person = visit(timezone_id="America/New_York")
    person.sign_in(superuser.get_username())
    notes = person.page.locator(".timezonewarning")
    person.go("/admin/billing/pricingplan/add/")
    assert [each.is_visible() for each in notes.all()] == [False]
    person.go("/admin/billing/rateversion/add/")
    assert [each.is_visible() for each in notes.all()] == [True]
