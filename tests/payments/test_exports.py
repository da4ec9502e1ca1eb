"""Payments, refunds and the two SQL views as tables."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.models import Receipt
from core.context import Actor
from core.exports import Export, ExportFilter
from payments.exports import HEALTH_VIEW, PAID_VIEW, PAYMENTS, REFUNDS
from payments.models import Payment, Refund
from payments.services.refunds import refund_payment
from tests.payments.conftest import call

pytestmark = pytest.mark.django_db
FIRST_SECOND = datetime(2026, 10, 31, 17, 0, 0, tzinfo=UTC)  # of November in Bangkok
OCTOBER = ExportFilter(date(2026, 10, 1), date(2026, 10, 31))
NOVEMBER = ExportFilter(date(2026, 11, 1), date(2026, 11, 30))


@pytest.fixture
def paid(payment: Payment) -> Payment:
    call(payment)
    Receipt.objects.update(paid_at=FIRST_SECOND)
    Payment.objects.update(created_at=FIRST_SECOND)
    return payment


def test_paid_receipts_come_with_types_and_their_currency(paid: Payment) -> None:
    assert [list(row) for row in PAID_VIEW.rows(NOVEMBER)] == [
        [paid.receipt_id, "alice", date(2026, 10, 1), date(2026, 10, 31), Decimal("8.00"), "THB", FIRST_SECOND, "dummy",
         paid.external_payment_id],
    ]  # fmt: skip


def test_the_health_of_payments_counts_events(paid: Payment) -> None:
    assert [list(row) for row in HEALTH_VIEW.rows(NOVEMBER)] == [
        [paid.pk, paid.receipt_id, "succeeded", "payment.succeeded", 1, 1]
    ]


def test_months_end_in_bangkok_and_filters_are_heeded(paid: Payment) -> None:
    for export in (PAID_VIEW, HEALTH_VIEW):
        assert list(export.rows(OCTOBER)) == []
        assert list(export.rows(ExportFilter(user="bob"))) == []
        assert len(list(export.rows(ExportFilter(user="alice")))) == 1
    assert list(PAID_VIEW.rows(ExportFilter(tier="gov"))) == []
    assert list(HEALTH_VIEW.rows(ExportFilter(status="failed"))) == []


# --- payments and refunds ----------------------------------------------------
def rows(export: Export, flt: ExportFilter) -> list[dict[str, object]]:
    names = [column.name for column in export.columns]
    return [dict(zip(names, row, strict=True)) for row in export.rows(flt)]


def test_payments_come_with_their_money_in_units_of_the_currency(paid: Payment) -> None:
    paid.refresh_from_db()
    refund_payment(actor=Actor("fin"), payment=paid, amount_minor=300, reason="=1+1")
    (row,) = rows(PAYMENTS, NOVEMBER)
    assert (row["payment"], row["receipt"], row["number"]) == (paid.pk, paid.receipt_id, paid.receipt.document_number)
    assert (row["amount"], row["received"], row["given_back"], row["currency"]) == (
        Decimal("8.00"), Decimal("8.00"), Decimal("3.00"), "THB",
    )  # fmt: skip
    assert (row["status"], row["live"], row["created_at"]) == ("succeeded", False, FIRST_SECOND)
    assert row["idempotency_key"] == paid.idempotency_key


@pytest.mark.forged("a payment in another currency")
def test_amounts_of_a_currency_without_places_stay_whole(paid: Payment) -> None:
    Payment.objects.update(currency="JPY")
    (row,) = rows(PAYMENTS, NOVEMBER)
    assert str(row["amount"]) == "800"


def test_refunds_come_with_payment_and_receipt(paid: Payment) -> None:
    paid.refresh_from_db()
    refund = refund_payment(actor=Actor("fin"), payment=paid, amount_minor=300, reason="too much")
    Refund.objects.update(created_at=FIRST_SECOND)
    (row,) = rows(REFUNDS, NOVEMBER)
    assert (row["refund"], row["payment"], row["receipt"], row["user"]) == (
        refund.pk, paid.pk, paid.receipt_id, "alice",
    )  # fmt: skip
    assert (row["amount"], row["currency"], row["status"], row["created_by"]) == (
        Decimal("3.00"), "THB", "succeeded", "fin",
    )  # fmt: skip


def test_both_heed_days_user_tier_and_status(paid: Payment) -> None:
    paid.refresh_from_db()
    refund_payment(actor=Actor("fin"), payment=paid, amount_minor=300, reason="x")
    Refund.objects.update(created_at=FIRST_SECOND)
    for export in (PAYMENTS, REFUNDS):
        assert rows(export, OCTOBER) == []
        for none in (ExportFilter(user="bob"), ExportFilter(tier="gov"), ExportFilter(status="failed")):
            assert rows(export, none) == []
        assert len(rows(export, ExportFilter(user="alice", tier="mu", status="succeeded"))) == 1
