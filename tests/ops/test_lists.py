"""Every list of the console: quick whatever the number of rows, and no count of all of them."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.models import Receipt
from billing.services.receipts import create_receipts
from core.console.admin import CappedPaginator, ConsoleAdmin
from core.console.list_filters import MANY
from core.context import SYSTEM
from payments.services.checkout import start_payment
from payments.services.refunds import refund_payment
from tests.factories import account_tier, make_job
from tests.pages.conftest import text
from tests.payments.conftest import call
from usage.models import Job, QuarantinedRow

pytestmark = pytest.mark.django_db
LARGE = ("jobs", "receipts", "receipt_items", "payments", "payment_events", "refunds", "audit_log", "quarantined_rows")
ALL = list(admin.site._registry)


@pytest.fixture
def as_root(client: Any, superuser: Any) -> Any:
    client.force_login(superuser)
    return client


def _some_rows(number: int) -> None:
    for place in range(number):
        job = make_job()
        run = job.import_run
        QuarantinedRow.objects.create(run=run, source="csv", reason="bad_time", raw="x", raw_sha256=f"{job.pk:064}")
        payment = start_payment(actor=SYSTEM, receipt=create_receipts(actor=SYSTEM, username="alice")[0])
        call(payment)
        payment.refresh_from_db()
        refund_payment(actor=SYSTEM, payment=payment, amount_minor=payment.amount_cents, reason=f"number {place}")


def _list(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def _asked(client: Any, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in queries]


@pytest.mark.parametrize("model", ALL, ids=lambda model: model._meta.label_lower)
def test_no_list_counts_everything(model: Any) -> None:
    site = admin.site._registry[model]
    assert isinstance(site, ConsoleAdmin)
    assert issubclass(site.paginator, CappedPaginator)
    assert (site.show_full_result_count, site.show_facets) == (False, admin.ShowFacets.NEVER)


def test_statements_of_a_list_are_few_and_no_more_with_more_rows(as_root: Any, alice: Any) -> None:
    account_tier("physics", "mu")
    _some_rows(1)
    few = {model: len(_asked(as_root, _list(model))) for model in ALL}
    assert {model: number for model, number in few.items() if number > 15} == {}
    _some_rows(3)
    many = {model: _asked(as_root, _list(model)) for model in ALL}
    assert {model: statements for model, statements in many.items() if len(statements) > few[model]} == {}
    for statement in chain.from_iterable(many.values()):
        assert "COUNT(" not in statement or "LIMIT" in statement or "GROUP BY" in statement, statement
        assert "DISTINCT" not in statement or not any(f'FROM "{table}"' in statement for table in LARGE), statement


def test_a_count_that_reached_its_limit_says_so(as_root: Any, alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        make_job(job_id=700 + number)
    monkeypatch.setattr(CappedPaginator, "most", 3)
    words = text(as_root.get("/admin/usage/job/"))
    assert "3 or more" in words
    monkeypatch.setattr(CappedPaginator, "most", 5)
    words = text(as_root.get("/admin/usage/job/"))
    assert "4 jobs" in words
    assert "or more" not in words


def test_many_choices_are_a_menu_that_keeps_the_rest_of_the_filter(as_root: Any) -> None:
    page = as_root.get("/admin/audit/auditlog/?status=ok&action=mark_paid&q=alice").content.decode()
    menu = page.split('<form class="menu-filter"')[1].split("</form>")[0]
    assert menu.count("<option") > MANY
    assert '<option value="mark_paid" selected>Receipt paid</option>' in menu
    assert '<input type="hidden" name="status" value="ok">' in menu
    assert '<input type="hidden" name="q" value="alice">' in menu
    assert 'type="hidden" name="action"' not in menu


@pytest.mark.parametrize(
    ("query", "number"),
    [("status=ok", 1), ("status=refused", 0), ("action=receipt_create", 1), ("action=mark_paid", 0)],
)
def test_the_audit_log_is_filtered_by_what_is_known(as_root: Any, alice: Any, query: str, number: int) -> None:
    account_tier("physics", "mu")
    make_job()
    create_receipts(actor=SYSTEM, username="alice")
    found = as_root.get(f"/admin/audit/auditlog/?{query}").context["cl"].result_count
    assert (found >= 1) == bool(number)


def test_an_act_on_more_rows_than_a_preview_can_show_is_refused(
    as_root: Any, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_tier("physics", "mu")
    make_job()
    receipt = create_receipts(actor=SYSTEM, username="alice")[0]
    rows = [Receipt(**{f.attname: getattr(receipt, f.attname) for f in Receipt._meta.concrete_fields}) for _ in "ab"]
    for place, row in enumerate(rows):
        row.pk, row.serial, row.document_number = None, 900_000 + place, f"RC-{place}"
    Receipt.objects.bulk_create(rows)
    chosen = list(Receipt.objects.values_list("pk", flat=True))
    fields = {"action": "void_action", "_selected_action": chosen, "confirm": "1", "text": "made twice"}
    from billing.admin import receipts

    monkeypatch.setattr(receipts, "VOID", receipts.replace(receipts.VOID, most=2))
    assert "Choose 2 rows at most" in text(as_root.post("/admin/billing/receipt/", fields, follow=True))
    assert set(Receipt.objects.values_list("status", flat=True)) == {"pending"}
    assert Job.objects.filter(claimed_by="").count() == 0
