"""The front page's lines about payments: each counts what its list shows, for those who may open the list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from billing.services.receipts import void_receipt
from core.context import Actor
from hpcbilling.pages import front
from payments.models import Dispute, Payment, PaymentEvent, ReconciliationDay, Refund

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def as_finance(client: Client, finance: Any) -> Client:
    client.force_login(finance, backend=BACKEND)
    return client


def lines(client: Client) -> dict[str, Any]:
    found = {str(item.what): item for item in client.get("/admin/").context["findings"]}
    return {words: item for words, item in found.items() if "usage is not" not in words}


def make_everything(of: Payment) -> None:
    """One of each kind that needs somebody, and beside each one that needs nobody."""
    now = timezone.now()
    day = timezone.localdate()
    Payment.objects.filter(pk=of.pk).update(status="canceled", captured_cents=900, refunded_cents=0)
    common = {"receipt": of.receipt, "user": of.user, "provider": "stripe", "currency": "THB", "amount_cents": 800}
    Payment.objects.create(**common, status="needs_review", captured_cents=1, idempotency_key="k1")
    Payment.objects.create(**common, status="failed", gave_up_at=now, idempotency_key="k2")
    for number, (status, by_hand, age) in enumerate(
        [("requested", True, 0), ("requested", False, 0), ("needs_review", False, 0), ("failed", False, 29),
         ("failed", False, 31), ("succeeded", True, 0)]
    ):  # fmt: skip
        Refund.objects.create(
            payment=of, amount_cents=1, status=status, by_hand=by_hand, idempotency_key=f"r{number}",
            settled_at=now - timedelta(days=age),
        )  # fmt: skip
    for status in ("open", "won", "lost"):
        Dispute.objects.create(payment=of, amount_cents=1, status=status, external_dispute_id=status)
    for provider, ours, age in (("stripe", 100, 0), ("omise", 90, 0), ("razorpay", 90, 31)):
        ReconciliationDay.objects.create(
            provider=provider, day=day - timedelta(days=age), currency="THB", provider_cents=100, our_cents=ours,
            checked_at=now,
        )  # fmt: skip
    for number, (outcome, due) in enumerate(
        [("failed", now), ("failed", None), ("mismatch", None), ("processed", None), ("rejected", None)]
    ):
        PaymentEvent.objects.create(
            provider="stripe", external_event_id=f"e{number}", outcome=outcome, next_try_at=due
        )  # fmt: skip


WANTED = {
    "payments need review": 1,
    "payments given up": 1,
    "payments hold money beyond their bill": 1,
    "refunds to send by hand": 1,
    "refunds need review, or failed in 30 days": 2,
    "disputes are open": 1,
    "days do not reconcile, 30 days": 1,
    "payment messages that did not match or failed, 30 days": 2,
    "payment messages wait": 1,
}


@pytest.mark.forged("payments put into each state")
def test_each_line_counts_what_its_list_shows(as_finance: Client, payment: Payment) -> None:
    assert lines(as_finance) == {}, "an open payment needs nobody"
    make_everything(payment)
    found = lines(as_finance)
    assert {words: item.number for words, item in found.items()} == WANTED
    for words, item in found.items():
        response = as_finance.get(item.url)
        assert response.status_code == 200, item.url
        assert response.context["cl"].result_count == item.number, words


def test_a_payment_is_no_longer_given_up_once_its_receipt_is_void(as_finance: Client, payment: Payment) -> None:
    Payment.objects.filter(pk=payment.pk).update(status="failed", gave_up_at=timezone.now())
    assert lines(as_finance)["payments given up"].number == 1
    void_receipt(actor=Actor("fin"), receipt=payment.receipt, reason="a mistake")
    assert "payments given up" not in lines(as_finance)


@pytest.mark.forged("payments put into each state")
def test_the_queries_do_not_grow(
    as_finance: Client,
    payment: Payment,
    django_assert_max_num_queries: Any,
) -> None:
    make_everything(payment)
    with django_assert_max_num_queries(15):
        as_finance.get("/admin/")


@pytest.mark.forged("payments put into each state")
def test_an_operator_sees_messages_and_no_money(client: Client, make_user: Any, payment: Payment) -> None:
    make_everything(payment)
    client.force_login(make_user("opr", role="admin", groups=["Operator"]), backend=BACKEND)
    assert set(lines(client)) == {
        "payment messages that did not match or failed, 30 days", "payment messages wait",
    }  # fmt: skip


@pytest.mark.forged("payments put into each state")
def test_a_group_without_rights_to_payments_sees_nothing_of_them(
    client: Client,
    make_user: Any,
    payment: Payment,
) -> None:
    make_everything(payment)
    Group.objects.create(name="Nothing")
    client.force_login(make_user("nob", role="admin", groups=["Nothing"]), backend=BACKEND)
    assert lines(client) == {}


def test_refunds_are_one_of_the_lists_on_top(as_finance: Client) -> None:
    names = [name for name, _url, _here in as_finance.get("/admin/").context["console_nav"]]
    assert names[:5] == ["receipts", "invoices", "payments", "refunds", "payment events"]
    assert Refund in front.MAIN_LISTS
