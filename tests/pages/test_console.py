"""The console's front page: exceptions first, then money by age."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as project
from django.utils import timezone

from billing.models import Receipt
from billing.services.receipts import mark_paid
from core.context import Actor
from payments.models import Payment, PaymentEvent
from tests.factories import make_job
from tests.pages.conftest import text
from usage.models import ImportRun, QuarantinedRow


@pytest.fixture
def fresh_import(db: None) -> ImportRun:
    now = timezone.now()
    return ImportRun.objects.create(source="sacct", actor="system", status="done", finished_at=now, data_until=now)


def test_a_quiet_morning_says_so(as_finance: Any, fresh_import: Any) -> None:
    assert "Nothing needs you this morning." in text(as_finance.get("/admin/"))


def test_each_exception_is_counted_and_leads_to_its_list(as_finance: Any, receipt: Any, fresh_import: Any) -> None:
    failed = ImportRun.objects.create(source="sacct", actor="system", status="failed")
    QuarantinedRow.objects.create(run=failed, source="csv", reason="bad_elapsed", raw="x", raw_sha256="0" * 64)
    Payment.objects.create(
        receipt=receipt, user=receipt.user, provider="dummy", status="needs_review", currency="THB", amount_cents=800,
        idempotency_key="k",
    )  # fmt: skip
    PaymentEvent.objects.create(provider="dummy", external_event_id="e1", outcome="mismatch")
    make_job(end_at=timezone.now() - timedelta(days=90), username="alice")
    response = as_finance.get("/admin/")
    findings = {str(item.what): item for item in response.context["findings"]}
    assert {name: item.number for name, item in findings.items()} == {
        "payments need review": 1,
        "payment messages that did not match or failed, 30 days": 1,
        "imports failed, 7 days": 1,
        "rows in quarantine": 1,
        "users with unbilled usage older than 60 days": 1,
    }
    for item in findings.values():
        assert as_finance.get(item.url).status_code == 200, item.url


def test_old_usage_is_an_exception(as_finance: Any) -> None:
    assert "Usage is not up to date" in text(as_finance.get("/admin/"))


def test_pending_receipts_stand_by_age_and_paid_ones_beside(as_finance: Any, receipt: Any, fresh_import: Any) -> None:
    Receipt.objects.filter(pk=receipt.pk).update(created_at=timezone.now() - timedelta(days=45))
    ages = [(age.count, age.total) for age in as_finance.get("/admin/").context["ages"]]
    assert ages == [(1, 20), (1, 8), (0, 0), (0, 0)]
    mark_paid(actor=Actor("fin"), receipt=receipt, method="transfer", tx_ref="A")
    context = as_finance.get("/admin/").context
    assert context["paid"] == {"count": 1, "total": 8}
    assert context["open"] == {"count": 1, "total": 20}
    for age in context["ages"]:
        assert as_finance.get(age.url).status_code == 200


def test_people_see_only_what_they_may_open(client: Any, make_user: Any, receipt: Any) -> None:
    editor = make_user("ed", role="admin", groups=["Rates editor"])
    client.force_login(editor, backend="django.contrib.auth.backends.ModelBackend")
    context = client.get("/admin/").context
    assert "ages" not in context
    assert context["findings"] == []
    assert [name for name, _url, _here in context["console_nav"]] == ["rates"]


def test_queries_of_the_front_page_are_few(as_finance: Any, receipt: Any, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(15):
        as_finance.get("/admin/")


ODD_LISTS = [
    "/admin/billing/receipt/?created_at__year=0", "/admin/billing/receipt/?created_at__year=1",
    "/admin/audit/auditlog/?ts__year=0", "/admin/payments/payment/?created_at__year=99999",
    "/admin/billing/receipt/?created_at__year=9999", "/admin/billing/receipt/?id__exact=" + "9" * 30,
    "/admin/billing/receipt/?status__exact=nonsense", "/admin/usage/job/?p=99999999999999999999",
    "/admin/billing/receipt/?id__range=1", "/admin/audit/auditlog/?status__range=1",
]  # fmt: skip


@pytest.mark.parametrize("path", ODD_LISTS)
def test_a_list_filter_of_no_sense_is_refused_or_sent_back(
    client: Any, superuser: Any, receipt: Any, path: str
) -> None:
    client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(path).status_code in (200, 302, 400)


@pytest.mark.parametrize("query", ["created_at__year=0", "id__range=1"])
def test_a_year_that_no_calendar_has_and_half_a_range_are_bad_requests(
    as_finance: Any, receipt: Any, query: str
) -> None:
    response = as_finance.get(f"/admin/billing/receipt/?{query}")
    assert response.status_code == 400
    assert "cannot be understood" in text(response)


@pytest.mark.parametrize("chosen", ["abc", "9" * 30, "²", ""])
def test_rows_that_cannot_be_are_never_acted_on(as_finance: Any, receipt: Any, chosen: str) -> None:
    fields = {"action": "void_action", "_selected_action": [chosen, receipt.pk], "confirm": "1", "text": "x"}
    assert as_finance.post("/admin/billing/receipt/", fields).status_code == 400
    receipt.refresh_from_db()
    assert receipt.status == "pending"


def test_an_odd_filter_under_an_action_is_refused_before_it_runs(as_finance: Any, receipt: Any) -> None:
    fields = {"action": "void_action", "_selected_action": receipt.pk, "confirm": "1", "text": "x"}
    assert as_finance.post("/admin/billing/receipt/?created_at__year=0", fields).status_code == 400
    receipt.refresh_from_db()
    assert receipt.status == "pending"


def test_an_error_of_an_action_is_not_hidden_as_a_bad_request(
    as_finance: Any, receipt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr("billing.admin.receipts.ReceiptAdmin.export_csv", broken)
    with pytest.raises(ValueError, match="a fault of ours"):
        as_finance.post("/admin/billing/receipt/", {"action": "export_csv", "_selected_action": receipt.pk})


@pytest.mark.parametrize("group", ["Auditor", "Finance"])
def test_who_only_looks_at_a_user_sees_no_hash_and_no_button(
    client: Any, make_user: Any, alice: Any, group: str
) -> None:
    client.force_login(
        make_user("looker", role="admin", groups=[group]), backend="django.contrib.auth.backends.ModelBackend"
    )
    url = f"/admin/accounts/user/{alice.pk}/change/"
    page = client.get(url)
    assert "Password: set" in text(page)
    assert "password/" not in page.content.decode().split("<form", 3)[-1]
    assert "***" not in text(page)
    alice.set_unusable_password()
    alice.save()
    assert "Password: not set" in text(client.get(url))


def test_who_may_change_a_user_keeps_the_button(client: Any, superuser: Any, alice: Any) -> None:
    client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    assert "../password/" in client.get(f"/admin/accounts/user/{alice.pk}/change/").content.decode()


@pytest.fixture
def thai_console(client: Any, superuser: Any) -> Any:
    client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    client.cookies[project.LANGUAGE_COOKIE_NAME] = "th"
    return client


def test_the_scripts_of_the_console_speak_thai(thai_console: Any) -> None:
    catalogue = json.loads(re.search(r"newcatalog = (\{.*?\});", thai_console.get("/admin/jsi18n/").text, re.S)[1])
    assert catalogue["%(sel)s of %(cnt)s selected"] == ["เลือกไว้ %(sel)s จาก %(cnt)s รายการ"]
    assert catalogue["Remove selected %s"].startswith("นำ")
    assert "by selecting" not in str(list(catalogue.values()))


@pytest.mark.parametrize("path", ["add/", "alice/password/", "alice/change/"])
def test_the_forms_of_a_user_are_thai(thai_console: Any, alice: Any, path: str) -> None:
    words = text(thai_console.get(f"/admin/accounts/user/{path}"))
    for english in ("Whether the user", "If disabled", "algorithm", "iterations", "salt"):
        assert english not in words


def test_the_way_back_from_a_question_keeps_the_filter_of_the_list(as_finance: Any, receipt: Any) -> None:
    where = "/admin/billing/receipt/?status__exact=pending"
    page = as_finance.post(where, {"action": "void_action", "_selected_action": [receipt.pk]}).text
    assert '<a href="/admin/billing/receipt/?status__exact=pending">Go back</a>' in page


def test_the_state_of_a_month_or_a_rate_is_not_that_of_a_job_in_thai(thai_console: Any, receipt: Any) -> None:
    for path in ("/admin/billing/closedmonth/", "/admin/billing/rateversion/"):
        assert "สถานะงาน" not in text(thai_console.get(path)), path


def test_the_form_of_a_user_says_when_a_group_counts(client: Any, superuser: Any, alice: Any) -> None:
    client.force_login(superuser)
    page = text(client.get("/admin/accounts/user/alice/change/"))
    assert "A group counts in the console alone" in page
    assert "Language:" in page
    assert "language:" not in page
