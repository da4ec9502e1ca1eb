"""The two SQL views as tables."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.models import Receipt
from core.exports import ExportFilter
from payments.exports import HEALTH_VIEW, PAID_VIEW
from payments.models import Payment
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
