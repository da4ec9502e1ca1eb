"""Reconciled days, and receipts with payments, in the console."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.utils import timezone

from billing.models import Receipt
from payments.models import Payment, ReconciliationDay
from tests.pages.conftest import text
from tests.payments.console.conftest import DAYS, act, shown

pytestmark = pytest.mark.django_db


def day(provider: str, theirs: int, ours: int, **fields: Any) -> ReconciliationDay:
    return ReconciliationDay.objects.create(
        provider=provider, day=timezone.localdate(), currency="THB", provider_count=1, provider_cents=theirs,
        our_count=1, our_cents=ours, checked_at=timezone.now(), **fields,
    )  # fmt: skip


def test_days_stand_side_by_side_and_what_differs_is_found(as_finance: Any, finance: Any) -> None:
    day("stripe", 800, 800)
    short = day("omise", 800, 500)
    nobody = day("razorpay", 100, 100, unknown=[{"id": "pay_<b>", "amount": 100}])
    day("manual", 900, 800, provider_refunded_cents=100)
    page = text(as_finance.get(DAYS))
    for words in ("THB +3.00", "pay_<b>", "THB 8.00"):
        assert words in page
    assert shown(as_finance, DAYS, differs="yes") == {short.pk, nobody.pk}
    assert len(shown(as_finance, DAYS, differs="no")) == 2
    assert shown(as_finance, DAYS, provider="omise") == {short.pk}
    page = text(as_finance.get(f"{DAYS}{nobody.pk}/change/"))
    assert "pay_<b>" in page
    assert "Look these ids up at the provider" in page


def test_a_refunded_receipt_can_be_voided_in_the_console(as_finance: Any, paid: Payment) -> None:
    Receipt.objects.update(status="refunded")
    page = act(as_finance, "/admin/billing/receipt/", paid.receipt, "void_action")
    assert "THB 8.00" in page
    act(as_finance, "/admin/billing/receipt/", paid.receipt, "void_action", confirm="1", text="given back")
    assert Receipt.objects.get().status == "void"


def test_a_paid_receipt_is_not_voided(as_finance: Any, paid: Payment) -> None:
    act(as_finance, "/admin/billing/receipt/", paid.receipt, "void_action", confirm="1", text="x")
    assert Receipt.objects.get().status == "paid"


def test_a_receipt_leads_to_its_payments(as_finance: Any, paid: Payment) -> None:
    page = as_finance.get(f"/admin/billing/receipt/{paid.receipt_id}/change/").content.decode()
    link = re.search(r'href="(/admin/payments/payment/\?receipt__id__exact=\d+)"', page)
    assert link
    assert shown(as_finance, link[1]) == {paid.pk}


@pytest.mark.forged("a receipt put into each state")
@pytest.mark.parametrize(
    ("status", "offered"),
    [("pending", {"mark_paid_action", "void_action"}), ("paid", set()), ("refunded", {"void_action"}), ("void", set())],
)
def test_a_receipts_page_offers_only_what_can_be_done_now(
    as_finance: Any, receipt: Receipt, status: str, offered: set[str]
) -> None:
    values = {"paid_at": timezone.now()} if status in ("paid", "refunded") else {}
    values |= {"voided_at": timezone.now(), "void_reason": "x"} if status == "void" else {}
    Receipt.objects.update(status=status, **values)
    page = as_finance.get(f"/admin/billing/receipt/{receipt.pk}/change/").content.decode()
    assert set(re.findall(r'name="action" value="(\w+)"', page)) == offered
