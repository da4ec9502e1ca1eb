"""Finance's day in a browser: a filter with a name, a receipt paid by its button, an export made without the page."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Approval, Work
from accounts.services.work import run_next, start_work
from billing.models import Receipt
from billing.services.receipts import create_receipts
from core.context import Actor
from hpcbilling.models import SavedFilter
from tests.browser.test_accessibility import BOTH, speak, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LIST = "/admin/billing/receipt/"


@pytest.fixture
def receipt(usage: None) -> Receipt:
    return create_receipts(actor=Actor("alice"), username="alice")[0]


def test_a_filter_is_named_followed_and_deleted(visit: Any, receipt: Receipt, finance: Any) -> None:
    person = visit()
    person.sign_in("fin")
    page = person.page
    person.go(LIST)
    page.click("#changelist-filter >> text=pending")
    page.fill("#keep", "Owed")
    page.click(".keep button")
    page.wait_for_selector(".saved-filters a[aria-current]")
    person.go(LIST)
    page.click(".saved-filters >> text=Owed")
    assert "status__exact=pending" in page.url
    page.click(".saved-filters li button")
    page.wait_for_selector(".saved-filters", state="detached")
    assert person.complaints == []


def test_a_receipt_is_paid_by_its_button_and_two_people(visit: Any, receipt: Receipt, finance: Any, make_user: Any,
                                                        settings: Any) -> None:  # fmt: skip
    settings.FOUR_EYES_ABOVE = Decimal(0)
    make_user("fin2", role="admin", groups=["Finance"])
    person = visit()
    person.sign_in("fin")
    person.go(f"{LIST}{receipt.pk}/change/")
    person.page.click(".object-tools button >> text=Mark as paid …")
    person.page.fill("#id_text", "slip 7")
    person.page.click("input[name=confirm]")
    person.page.wait_for_selector(".messagelist >> text=needs a second person")
    second = visit()
    second.sign_in("fin2")
    second.go("/admin/")
    second.page.click("text=Acts wait for a second signature")
    second.page.click("#result_list tbody th a")
    second.page.click(".object-tools button >> text=Confirm …")
    second.page.click("input[name=confirm]")
    second.page.wait_for_selector(".messagelist >> text=confirmed and done")
    receipt.refresh_from_db()
    assert (receipt.status, receipt.tx_ref) == ("paid", "slip 7")
    assert person.complaints + second.complaints == []


def test_an_export_is_prepared_and_its_page_follows_by_itself(visit: Any, receipt: Receipt, finance: Any) -> None:
    person = visit()
    person.sign_in("fin")
    person.go("/admin/exports/receipts/")
    person.page.fill("input[name=start]", "")
    person.page.fill("input[name=end]", "")
    person.page.click("button[name=later][value=csv]")
    person.page.wait_for_selector("text=It waits for its turn")
    run_next()
    person.page.wait_for_selector("text=It is done.", timeout=15_000)
    with person.page.expect_download() as download:
        person.page.click(".work a.button.default")
    assert download.value.suggested_filename.endswith(".csv")
    assert person.complaints == []


@BOTH
def test_pages_with_filters_work_and_signatures(
    visit: Any, receipt: Receipt, superuser: Any, language: str, theme: str
) -> None:
    SavedFilter.objects.create(user=superuser, where="billing.receipt", name="Owed", query="status__exact=pending")
    Approval.objects.create(
        act="mark_paid", target=receipt.pk, label="x", amount=1, currency="THB", asked_by="fin",
        details={"tx_ref": "slip"},
    )  # fmt: skip
    asked = {"export": "receipts", "format": "csv", "filter": {}}
    work = start_work(actor=Actor("root"), kind="export", title="Receipts", parameters=asked)
    waiting = start_work(actor=Actor("root"), kind="export", title="Receipts", parameters=asked)
    run_next()
    Work.objects.filter(pk=waiting.pk).update(percent=40, done=7)
    person = visit(color_scheme=theme)
    person.sign_in("root")
    speak(person, language)
    paths = [
        f"{LIST}?status__exact=pending", f"{LIST}?status__exact=paid", f"{LIST}{receipt.pk}/change/",
        "/admin/accounts/prepared/", f"/admin/accounts/prepared/{work.pk}/change/", f"/admin/accounts/prepared/{waiting.pk}/change/",
        f"/admin/accounts/approval/{Approval.objects.get().pk}/change/", "/admin/search/?q=",
        "/admin/search/?q=nothing", "/admin/usage/quarantinedrow/?reason=bad_time",
        f"{LIST}run/?start=2026-10-01&end=2026-10-31&user=",
    ]  # fmt: skip
    faults = [fault for path in paths for fault in violations(person, path)]
    assert not faults, "\n".join(faults)
