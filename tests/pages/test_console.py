"""The console's front page: exceptions first, then money by age."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
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
    return ImportRun.objects.create(source="sacct", actor="system", status="done", finished_at=timezone.now())


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
    with django_assert_max_num_queries(20):
        as_finance.get("/admin/")
