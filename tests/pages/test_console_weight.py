"""What a page of the console may cost: statements, and no more of them as what it shows grows."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.services.months import close_month
from billing.services.receipts import create_receipts
from core.context import SYSTEM
from core.periods import previous_month, today
from payments.models import Payment
from payments.services.checkout import start_payment
from payments.services.refunds import refund_payment
from tests.factories import make_jobs
from tests.payments.conftest import call

MOST_QUERIES, MOST_BYTES = 15, 150_000
PAGES = [
    "/admin/", "/admin/auth/group/", "/admin/auth/group/add/", "/admin/auth/group/{group}/change/", "/admin/auth/group/{own}/change/",
    "/admin/accounts/user/alice/change/", "/admin/billing/receipt/run/?start=&end=&user=",
    "/admin/billing/receipt/{receipt}/change/", "/admin/billing/receipt/{pending}/change/",
    "/admin/payments/payment/{payment}/change/", "/admin/billing/closedmonth/", "/admin/billing/closedmonth/{last}/",
    "/admin/billing/closedmonth/{before}/",
]  # fmt: skip
MORE_PEOPLE = ("carol", "dave", "erin", "frank")


@pytest.fixture
def as_root(superuser: Any) -> Client:
    client = Client()
    client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def world(jobs: None, days_ago: Any, make_user: Any) -> dict[str, Any]:
    """A receipt that was paid and partly given back, one that waits, a closed month, and usage of many to bill."""
    last = previous_month(today())
    before = previous_month(last)
    receipts = create_receipts(actor=SYSTEM, username="alice")
    payment = start_payment(actor=SYSTEM, receipt=receipts[0])
    call(payment)
    payment.refresh_from_db()
    refund_payment(actor=SYSTEM, payment=payment, amount_minor=100, reason="too much")
    make_jobs(3, username="bob", end_at=days_ago(75), account="physics")
    close_month(actor=SYSTEM, month=before, note="as it is", accept_open=True)
    for name in MORE_PEOPLE:
        make_user(name)
        make_jobs(2, username=name, end_at=days_ago(2))
    own = Group.objects.create(name="Readers")
    return {
        "receipt": receipts[0].pk, "pending": receipts[1].pk, "payment": payment.pk, "last": f"{last:%Y-%m}",
        "before": f"{before:%Y-%m}", "group": Group.objects.get(name="Finance").pk, "own": own.pk,
    }  # fmt: skip


def _statements(client: Client, path: str) -> list[str]:
    client.get(path)
    with CaptureQueriesContext(connection) as asked:
        response = client.get(path)
    assert response.status_code == 200
    assert len(response.content) < MOST_BYTES
    return [each["sql"] for each in asked]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_the_console_asks_little(as_root: Client, world: dict[str, Any], path: str) -> None:
    statements = _statements(as_root, path.format(**world))
    assert len(statements) <= MOST_QUERIES, "\n".join(each[:200] for each in statements)


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/admin/auth/group/add/"])
def test_rights_that_must_be_looked_up_do_not_make_it_more(
    as_finance: Client, world: dict[str, Any], path: str
) -> None:
    statements = _statements(as_finance, path.format(**world))
    assert len(statements) <= MOST_QUERIES, "\n".join(each[:200] for each in statements)


@pytest.mark.parametrize("price_at", ["receipt", "job_end"])
def test_a_run_asks_as_much_for_twelve_users_as_for_four(
    as_finance: Client, world: dict[str, Any], make_user: Any, days_ago: Any, settings: Any, price_at: str
) -> None:
    settings.BILLING_PRICE_AT = price_at
    path = "/admin/billing/receipt/run/?start=&end=&user="
    few = len(_statements(as_finance, path))
    for number in range(8):
        make_user(f"user{number}")
        make_jobs(2, username=f"user{number}", end_at=days_ago(2))  # as those of the others: rates begin on one day
    assert len(_statements(as_finance, path)) == few
    assert len(as_finance.get(path).context["candidates"]) == len(MORE_PEOPLE) + 1 + 8


def test_a_payment_with_much_behind_it_asks_no_more(as_finance: Client, world: dict[str, Any]) -> None:
    path = f"/admin/payments/payment/{world['payment']}/change/"
    few, payment = len(_statements(as_finance, path)), Payment.objects.get(pk=world["payment"])
    for amount in (50, 60):
        refund_payment(actor=SYSTEM, payment=payment, amount_minor=amount, reason="more")
        payment.refresh_from_db()
    assert len(_statements(as_finance, path)) == few
