"""A month of finance in a real browser, in both languages, at a desk and on a phone; and the auditor after it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Work
from accounts.services.work import run_next
from audit import chain
from billing.models import ClosedMonth, RateVersion, Receipt
from core.context import Actor
from core.periods import month_start, previous_month, today
from payments.models import Payment, Refund
from payments.services.checkout import start_payment
from tests.factories import account_tier, make_job
from tests.payments.conftest import call

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EVERYWHERE = pytest.mark.parametrize(("language", "width"), [("en", 1440), ("th", 390)])
ACT = "#content form [type=submit]"


@pytest.fixture
def month(alice: Any, bob: Any) -> Any:
    """Last month: a job of Alice's and one of Bob's."""
    account_tier("physics", "mu")
    last = previous_month(month_start(today()))
    noon = timezone.make_aware(timezone.datetime(last.year, last.month, 12, 12), timezone.get_default_timezone())
    for username in ("alice", "bob"):
        make_job(
            username=username, end_at=noon, start_at=noon - timedelta(hours=1), submit_at=noon - timedelta(hours=2)
        )
    return last


def enter(visit: Any, username: str, language: str, width: int) -> Any:
    person = visit()
    person.page.set_viewport_size({"width": width, "height": 900})
    person.sign_in(username)
    person.page.context.add_cookies([{"name": "django_language", "value": language, "url": person.base}])
    return person


def act_on(person: Any, receipt: Receipt, action: str, text: str) -> None:
    """The button on the receipt's own page, then the page that says what will change."""
    person.go(f"/admin/billing/receipt/{receipt.pk}/change/")
    person.page.click(f"form:has(input[value={action}]) button")
    assert str(receipt) in person.page.inner_text("#content")
    person.page.fill("#id_text", text)
    person.page.click("input[name=confirm]")
    person.page.wait_for_url("**/admin/billing/receipt/**")


@EVERYWHERE
def test_a_month_from_the_rate_to_the_close(
    visit: Any, finance: Any, make_user: Any, month: Any, language: str, width: int
) -> None:
    editor = make_user("editor", role="admin", groups=["Rates editor"])
    person = enter(visit, editor.username, language, width)
    person.go("/admin/billing/rateversion/add/")
    person.page.select_option("#id_tier", "mu")
    for name in ("cpu", "gpu", "mem"):
        person.page.fill(f"#id_{name}", "2")
    person.page.fill("#id_note", "as the board decided")
    person.page.click("input[name=_save]")
    person.page.wait_for_url("**/admin/billing/rateversion/")
    assert RateVersion.objects.latest("pk").set_by == "editor"
    assert person.page.goto(f"{person.base}/admin/billing/receipt/run/").status == 403
    person.complaints.clear()  # the browser complains about the 403

    person = enter(visit, "fin", language, width)
    person.go(f"/admin/billing/receipt/run/?start={month}&end={month + timedelta(days=27)}&user=")
    person.page.click(".month-act input[type=submit]")
    person.page.wait_for_url("**/admin/accounts/prepared/**")
    run_next()
    assert Work.objects.get().result["receipts"] == 2
    first, second = Receipt.objects.order_by("pk")

    act_on(person, first, "mark_paid_action", "slip 7")
    first.refresh_from_db()
    assert (first.status, first.tx_ref) == ("paid", "slip 7")
    act_on(person, second, "void_action", "billed the wrong person")
    second.refresh_from_db()
    assert second.status == "void"

    person.go(f"/admin/billing/closedmonth/{month:%Y-%m}/")
    person.page.check("input[name=accept_open]")
    person.page.fill("#note", "one receipt was voided")
    person.page.click("input[name=close]")
    assert person.page.locator("form.confirm .notes li").count() > 2
    assert not ClosedMonth.objects.exists()
    person.page.click("input[name=confirm]")
    person.page.wait_for_load_state()
    assert ClosedMonth.objects.get().month == month
    for path in ("/admin/", f"/admin/billing/receipt/{first.pk}/change/", f"/admin/billing/closedmonth/{month:%Y-%m}/"):
        person.go(path)
        assert person.overflow() == 0, path
    assert person.complaints == []


@EVERYWHERE
def test_money_goes_back_after_a_look_at_what_that_changes(
    visit: Any, finance: Any, month: Any, language: str, width: int
) -> None:
    from billing.services.receipts import create_receipts

    (receipt,) = create_receipts(actor=Actor("alice"), username="alice")
    payment = start_payment(actor=Actor("alice"), receipt=receipt)
    call(payment)
    person = enter(visit, "fin", language, width)
    person.go(f"/admin/payments/payment/{payment.pk}/refund/")
    person.page.fill("input[name=reason]", "paid twice")
    person.page.click(ACT)
    assert not Refund.objects.exists(), "the first page only shows"
    assert str(receipt) in person.page.inner_text("#content")
    person.page.click("[name=confirm]")
    person.page.wait_for_url(f"**/admin/payments/payment/{payment.pk}/change/")
    assert Payment.objects.get().refunded_cents == payment.amount_cents
    receipt.refresh_from_db()
    assert receipt.status == "refunded"
    assert person.overflow() == 0
    assert person.complaints == []


@EVERYWHERE
def test_an_auditor_sees_all_changes_nothing_and_takes_the_log_away(
    visit: Any, auditor: Any, month: Any, language: str, width: int
) -> None:
    from billing.services.receipts import create_receipts

    (receipt,) = create_receipts(actor=Actor("alice"), username="alice")
    person = enter(visit, "aud", language, width)
    person.go(f"/admin/billing/receipt/{receipt.pk}/change/")
    assert person.page.locator("form:has(input[name=action]) button").count() == 0
    person.go("/admin/audit/auditlog/")
    assert person.page.locator("#result_list tbody tr").count() > 0
    person.go("/admin/exports/audit_log/")
    with person.page.expect_download() as download:
        person.page.click("button[name=format][value=csv]")
    assert download.value.suggested_filename.startswith("audit_log")
    assert chain.verify().ok
    assert person.complaints == []
